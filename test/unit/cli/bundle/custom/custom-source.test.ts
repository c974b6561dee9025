import { chmodSync } from "node:fs";
import { join } from "node:path";
import { unpackTar } from "modern-tar";
import { expect, test } from "vitest";
import { bundleCustom } from "../../../../../cli/bundle/custom/bundle-custom.ts";
import { findCustomSource } from "../../../../../cli/bundle/custom/custom-source.ts";
import { wordsOf } from "../../../../../runtime-images/custom/program.ts";
import { directoryOf } from "../../../../helpers/bundled.ts";

/** The head of an ELF file of 64 bits for a processor (e_machine). */
function elf(machine: number): Uint8Array {
  const head = Buffer.alloc(64);
  head.set([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
  head.writeUInt16LE(machine, 18);
  return head;
}

function project(files: Record<string, string | Uint8Array>): string {
  const dir = directoryOf(files);
  for (const name of Object.keys(files)) chmodSync(join(dir, name), name.endsWith(".txt") ? 0o644 : 0o755);
  return dir;
}

test.each<[string, Record<string, string | Uint8Array>, string | string[] | undefined, string | null]>([
  ["without bootstrap", { a: "" }, undefined, "COMMAND_MISSING"],
  ["that is not there", { a: "" }, "./server --x", "COMMAND_MISSING"],
  ["that is not executable", { "a.txt": "" }, ["./a.txt"], "COMMAND_NOT_EXECUTABLE"],
  ["for another processor", { a: elf(183) }, "./a", "COMMAND_FOREIGN"],
  ["for macOS", { a: Buffer.from([0xcf, 0xfa, 0xed, 0xfe]) }, "./a", "COMMAND_FOREIGN"],
  ["for this processor", { a: elf(62) }, "./a $PORT", null],
  ["by name", { a: "" }, "node server.js", null],
  ["for a shell", { a: "" }, "cd sub && ./b", null],
])("a command %s", async (_, files, command, code) => {
  const packed = bundleCustom(findCustomSource(project(files), command), [], "amd64");
  if (code === null) await packed;
  else await expect(packed).rejects.toMatchObject({ code });
});

test("a directory is packed as it is, and a program alone is its own command", async () => {
  const dir = project({ server: elf(62), "data/a.txt": "a", ".env": "SECRET=1", "node_modules/b/b.txt": "b", "berth.yaml": "" });
  const names = async (from: string) => {
    const source = findCustomSource(from, undefined);
    const tar = await bundleCustom({ ...source, command: source.command ?? "./server" }, ["!data/**"], "amd64");
    return [source.command, (await unpackTar(tar)).map(({ header }) => `${header.name} ${header.mode?.toString(8)}`).sort()];
  };
  expect(await names(dir)).toEqual([undefined, [".berth-entry 644", "node_modules/b/b.txt 644", "server 755"]]);
  expect(await names(join(dir, "server"))).toEqual(["./server", [".berth-entry 644", "server 755"]]);
});

test.each<[string | string[], string[]]>([
  ["./server --port $PORT --host=0.0.0.0", ["./server", "--port", "8", "--host=0.0.0.0"]],
  [
    ["./server", "a b", `:\${PORT}`],
    ["./server", "a b", ":8"],
  ],
  ["./server $HOME", ["/bin/sh", "-c", "./server $HOME"]],
  ["./a && ./b", ["/bin/sh", "-c", "./a && ./b"]],
  ["./a $PORTAL", ["/bin/sh", "-c", "./a $PORTAL"]],
])("the words of %j", (command, words) => {
  expect(wordsOf(command, "8")).toEqual(words);
});
