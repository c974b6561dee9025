import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bundle } from "../../../../cli/bundle/bundle.ts";
import { bundled, directoryOf, LoadedFunction } from "../../../helpers/bundled.ts";

const METADATA = { compilerOptions: { experimentalDecorators: true, emitDecoratorMetadata: true, target: "es2021" } };
const MODULE = `import { Clock } from "./clock.ts";
  const types: Record<string, unknown[]> = {};
  Object.assign(Reflect, { metadata: (key: string, value: unknown) => (target: { name?: string }) => { types[key + " " + (target.name ?? "")] = [value].flat().map((type) => (type as { name?: string })?.name); } });
  function injectable(target: unknown) {}
  function field(target: unknown, name: string) {}
  @injectable class Service { @field declared!: string; constructor(private clock: Clock, private count: number) {} }
  export default { fetch: async () => { if (new Service(new Clock(), 1).declared === undefined && "declared" in new Service(new Clock(), 1)) throw new Error("own field"); return Response.json([types, import.meta.filename.split("/").pop()]); } };`;

/** A project with the TypeScript of this repository. */
function project(files: Record<string, string>): string {
  const dir = directoryOf({ "src/clock.ts": "export class Clock {}", ...files });
  mkdirSync(join(dir, "node_modules"));
  symlinkSync(join(process.cwd(), "node_modules/typescript"), join(dir, "node_modules/typescript"));
  return dir;
}

test("types of parameters and fields are emitted if tsconfig.json, or a file that it extends, says so", async () => {
  const dir = project({
    "base.json": JSON.stringify(METADATA),
    "tsconfig.json": '{"extends": "./base.json", /* none */ "include": ["src"]}',
    "src/index.ts": MODULE,
  });
  const loaded = await LoadedFunction.load((await bundled(join(dir, "src/index.ts"))).entry);
  try {
    expect(loaded.error).toBe(null);
    expect(JSON.parse(await loaded.invoke())).toEqual([{ "design:paramtypes Service": ["Clock", "Number"], "design:type ": ["String"] }, "index.mjs"]);
  } finally {
    loaded.end();
  }
});

test("an error in such a module is that of the file, in the user's line", async () => {
  const dir = project({ "tsconfig.json": JSON.stringify(METADATA), "src/index.ts": `function d(t: unknown) {}\n\n@d class A { m( { }\n}` });
  await expect(bundle(join(dir, "src/index.ts"))).rejects.toMatchObject({ message: expect.stringMatching(/index\.ts:4:1: /) });
});

test("without TypeScript the command says that nothing is emitted", async () => {
  const dir = directoryOf({
    "tsconfig.json": JSON.stringify(METADATA),
    "index.ts": "function d(t: unknown) {}\n@d class A {}\nexport default { fetch: () => new Response(A.name) };",
  });
  expect((await bundled(dir)).said).toEqual([expect.stringMatching(/^warning: .*tsconfig\.json has emitDecoratorMetadata, for which typescript/)]);
});
