import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";

const below = (dir: string) =>
  readdirSync(dir, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md") && !/(^|\/)(node_modules|dist)\//.test(name))
    .map((name) => join(dir, name));
const pages = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", ...["docs", "pool-manager", "router", "runtime-images"].flatMap(below)];

/** The text of a page without its code blocks, in which nothing is a link. */
const textOf = (page: string) => readFileSync(page, "utf8").replace(/^```.*?^```/gms, "");

/** The anchor that GitHub gives a heading. */
function anchorOf(heading: string): string {
  const words = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
  return words.replace(/[^\p{L}\p{N}\- _]/gu, "").replaceAll(" ", "-");
}

const anchorsOf = (page: string) => new Set([...textOf(page).matchAll(/^#+ (.+)$/gm)].map((match) => anchorOf((match[1] as string).trim())));

function isBroken(page: string, link: string): boolean {
  const [path, anchor] = link.split("#") as [string, string | undefined];
  const target = path === "" ? page : join(dirname(page), path);
  if (!existsSync(target)) return true;
  return anchor !== undefined && !(target.endsWith(".md") && anchorsOf(target).has(anchor));
}

/** A file of the checkout by its path from the root, or from the folder of a README; or a folder by its path from the root. */
const FILE = /^[\w.-]+(\/[\w.-]+)*\.(ts|mjs|cjs|c|sh|md|ya?ml|json)$/;
const ROOTED = /^(pool-manager|router|runtime-images|cli|bench|test|deploy|docs|examples)\/[\w./-]*$/;

function filesNamed(page: string): string[] {
  const code = [...textOf(page).matchAll(/`([^`\s]+)`/g)].map((match) => match[1] as string);
  const isOfFolder = /^(pool-manager|router|runtime-images)\/.*README\.md$/.test(page);
  return code.filter((name) => ROOTED.test(name) || (isOfFolder && FILE.test(name)));
}

/** From the root, the page's folder, or one above it. */
function placesOf(page: string, name: string): string[] {
  const parts = dirname(page).split("/");
  return [name, ...parts.map((_, depth) => join(...parts.slice(0, depth + 1), name))];
}

describe.each(pages)("%s", (page) => {
  test("links to files and headings that exist", () => {
    const links = [...textOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] as string).filter((link) => !/^[a-z]+:/.test(link));
    expect(links.filter((link) => isBroken(page, link))).toEqual([]);
  });

  test("names files that exist", () => {
    expect(filesNamed(page).filter((name) => !placesOf(page, name).some((path) => existsSync(path)))).toEqual([]);
  });
});

test("every decision is in the index, and the index says what has superseded it", () => {
  const index = readFileSync("docs/decisions/README.md", "utf8");
  const records = readdirSync("docs/decisions").filter((name) => /^\d{4}-/.test(name));
  expect(records.length).toBeGreaterThan(50);
  for (const name of records) {
    const [, status] = /^Status: (.+)$/m.exec(readFileSync(join("docs/decisions", name), "utf8")) ?? [];
    const line = index.split("\n").find((one) => one.startsWith(`- [${name.slice(0, 4)}](${name})`));
    expect([name, line !== undefined, status?.startsWith("superseded") === line?.includes("superseded by")]).toEqual([name, true, true]);
  }
});
