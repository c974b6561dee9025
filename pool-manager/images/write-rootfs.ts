import { join, resolve } from "node:path";
import { findPython } from "../../runtime-images/python/find-python.ts";
import { pythonFiles } from "./python-image.ts";
import { NODE, writeFiles, writeRootfs } from "./runtime-image.ts";

/** `npm run image:rootfs -- DIR [python]`: the file tree that the runtime's Dockerfile copies. */
const [, , dir, language] = process.argv;
if (!dir || (language ?? "python") !== "python") throw new Error("usage: npm run image:rootfs -- DIR [python]");
const runtimes = join(import.meta.dirname, "../../runtime-images");
await writeRootfs(resolve(dir), join(runtimes, "node/dist"));
if (language === "python") {
  const python = await findPython();
  if (typeof python === "string") throw new Error(python);
  await writeFiles(resolve(dir), await pythonFiles(python, join(runtimes, "python/dist"), join(resolve(dir), NODE)));
  console.log(`Python ${python.version}`);
}
