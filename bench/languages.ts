import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundlePython } from "../cli/bundle/python/bundle-python.ts";
import { bigBundle, HELLO, type Language } from "./scenarios.ts";
import type { Subject } from "./subject.ts";

const PYTHON_HELLO = `def lambda_handler(event, context):
    return {"message": "Hello, world!"}
`;

/** About 1 MB of Python: many different functions, one of which is called. */
function bigModule(): string {
  const parts: string[] = [];
  for (let i = 0; parts.length * 230 < 1_000_000; i++) {
    parts.push(
      `def part${i}(value, deep=False):\n    table = {"key": ${(i * 7919) % 1_000_003}, "name": "part-${i}", "list": [${i % 97}, ${i % 89}, ${i % 83}]}\n    if deep and value > table["key"]:\n        return part${Math.max(0, i - 1)}(value - 1, deep)\n    return sum(x * value for x in table["list"]) + len(table["name"])\n`,
    );
  }
  return `${parts.join("\n")}\ndef lambda_handler(event, context):\n    return {"sum": part${parts.length - 1}(3)}\n`;
}

async function uploadPython(berth: Subject, source: string): Promise<string> {
  const base = mkdtempSync(join(tmpdir(), "berth-bench-"));
  try {
    writeFileSync(join(base, "main.py"), source);
    return await berth.api.upload(await bundlePython({ base, entry: "main.py", handler: undefined }));
  } finally {
    rmSync(base, { recursive: true });
  }
}

export const LANGUAGES: Record<string, Language> = {
  node: { runtime: "node", hello: (berth) => berth.upload(HELLO), big: (berth) => berth.upload(bigBundle()) },
  python: { runtime: "python", hello: (berth) => uploadPython(berth, PYTHON_HELLO), big: (berth) => uploadPython(berth, bigModule()) },
};
