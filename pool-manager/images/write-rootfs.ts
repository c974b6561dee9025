import { join, resolve } from "node:path";
import { writeRootfs } from "./runtime-image.ts";

/** `npm run image:rootfs -- DIR`: the file tree that the runtime's Dockerfile copies. */
const dir = process.argv[2];
if (!dir) throw new Error("usage: npm run image:rootfs -- DIR");
await writeRootfs(resolve(dir), join(import.meta.dirname, "../../runtime-images/node/dist"));
