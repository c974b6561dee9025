import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { templates, writeTemplate } from "../../../../cli/commands/init.ts";
import { SIGNATURES } from "../../../../runtime-images/protocol/messages.ts";
import { directoryOf } from "../../../helpers/bundled.ts";

/** A bootstrap for payload format 1.0 differs from that of 2.0 in the event alone. */
const LANGUAGES = Object.entries(SIGNATURES).map(
  ([runtime, signatures]) => [runtime, signatures.filter((name) => runtime !== "custom" || name !== "lambda-1.0")] as const,
);
const RUNTIMES: Record<string, string> = { JavaScript: "node", TypeScript: "node", Python: "python" };

test("every signature of every language has a template, and every template is listed", () => {
  const named = templates().map(({ language, signature }) => `${RUNTIMES[language] ?? "custom"} ${signature}`);
  const all = LANGUAGES.flatMap(([language, signatures]) => signatures.map((signature) => `${language} ${signature}`));
  expect([...new Set(named)].sort()).toEqual(all.sort());
  const directories = readdirSync("templates", { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(directories.map(({ name }) => name).sort()).toEqual(
    templates()
      .map(({ name }) => name)
      .sort(),
  );
});

test("files that exist are kept, and nothing is written beside them", () => {
  const dir = directoryOf({ "index.ts": "mine" });
  expect(() => writeTemplate("fetch-ts", dir)).toThrow(expect.objectContaining({ code: "FILES_EXIST" }));
  expect(readdirSync(dir)).toEqual(["index.ts"]);
  expect(readFileSync(join(dir, "index.ts"), "utf8")).toBe("mine");
});

test("an unknown template is refused with the existing ones", () => {
  expect(() => writeTemplate("cobol", directoryOf({}))).toThrow(
    expect.objectContaining({ code: "TEMPLATE_UNKNOWN", message: expect.stringContaining("fetch-ts") }),
  );
});

/** The table of docs/frameworks.md; each row is a test of `test/ecosystem/templates.test.ts`. */
function table(): string {
  const rows = templates().map(({ name, language, signature, about }) => `| ${language} | \`${signature}\` | ${about} | \`${name}\` |`);
  return ["| language | signature | | `berth init --template` |", "|---|---|---|---|", ...rows].join("\n");
}

test("the table of languages and signatures is that of the tested templates (BERTH_WRITE=1 writes it)", () => {
  const [begin, end] = ["<!-- templates -->\n", "\n<!-- /templates -->"];
  const page = readFileSync("docs/frameworks.md", "utf8");
  const [head, rest] = page.split(begin) as [string, string];
  if (process.env.BERTH_WRITE) writeFileSync("docs/frameworks.md", head + begin + table() + rest.slice(rest.indexOf(end)));
  else expect(rest.slice(0, rest.indexOf(end))).toBe(table());
});
