/** A path that a module names by literals. */
export interface PathReference {
  /** The path is relative to the module's directory, or to that of the code, in which functions run. */
  from: "module" | "code";
  parts: { text: string; at: number }[];
  /** The module at the path runs in a thread or a process of its own. */
  runs: boolean;
}

const LITERAL = String.raw`(?:"[^"\\\n]+"|'[^'\\\n]+'|\`[^\`$\\\n]+\`)`;
const RELATIVE = String.raw`(?:"\.\.?\/[^"\\\n]+"|'\.\.?\/[^'\\\n]+'|\`\.\.?\/[^\`$\\\n]+\`)`;
const FROM_URL = String.raw`(?:\w+\.)?dirname\(\s*(?:\w+\.)?fileURLToPath\(\s*import\.meta\.url\s*\)\s*\)`;
const DIRECTORY = String.raw`(?:\b__dirname\b|\bimport\.meta\.dirname\b|\b${FROM_URL}|(?<cwd>\bprocess\.cwd\(\s*\)))`;

/** A call; compilers of TypeScript write "(0, path_1.join)(" for "join(". */
const CALL = String.raw`\)?\(\s*`;
const FUNCTION = String.raw`(?:\(0,\s*)?(?:[\w.]+\.|require\([^)]*\)\.)?`;
const RUNNER = String.raw`(?:\bWorker\s*\(|\bfork\)?\s*\(|\bfilename\s*:)\s*(?:[\w.]+\(\s*)?`;

const REFERENCES = [
  String.raw`\bnew\s+(?:\w+\.)?URL\(\s*(?<parts>${LITERAL})\s*,\s*import\.meta\.url\s*\)`,
  String.raw`\b(?:join|resolve)${CALL}${DIRECTORY}\s*(?<parts>(?:,\s*${LITERAL}\s*)+),?\s*\)`,
  String.raw`${DIRECTORY}\s*\+\s*(?<parts>${LITERAL})(?!\s*\+)`,
  String.raw`\`\$\{\s*${DIRECTORY}\s*\}(?<path>\/[^\`$\\\n]+)\``,
  String.raw`\b(?:require|import\.meta)\.resolve\(\s*(?<parts>${RELATIVE})\s*\)`,
  // Programs that load WebAssembly compose its path of a variable and this name.
  String.raw`(?<parts>(?:"[\w.-]+\.wasm"|'[\w.-]+\.wasm'))`,
  // Paths that are relative to the working directory: of files that are read, and of directories that frameworks serve or render.
  String.raw`\b(?:readFileSync|readFile|createReadStream|static|serveStatic|serve)${CALL}(?<cwd>)(?<parts>${LITERAL})`,
  String.raw`(?:\broot\s*:|["']views["']\s*,)\s*(?<cwd>)(?<parts>${LITERAL})`,
  String.raw`\b(?:Worker|fork)${CALL}(?<cwd>)(?<parts>${RELATIVE})`,
].map((source) => new RegExp(source, "dg"));

/** The code before the path of a module that is run: by node:worker_threads, node:child_process, or a pool such as Piscina. */
const RUNS = new RegExp(`${RUNNER}${FUNCTION}$`);
/** The code before the path of a variable's initial value. */
const NAMES = new RegExp(String.raw`\b(?:const|let|var)\s+(?<name>[\w$]+)(?:\s*:[^=;\n]+)?\s*=\s*(?:[\w.]+\(\s*)?${FUNCTION}$`);
/** How many characters before a path are searched; far more than usually precede it. */
const BEFORE = 80;

export function literalPaths(text: string): PathReference[] {
  return REFERENCES.flatMap((pattern) => [...text.matchAll(pattern)]).map((match) => {
    const { groups = {}, indices, index } = match;
    const [at] = indices?.groups?.[groups.path === undefined ? "parts" : "path"] ?? [0];
    const parts = groups.path === undefined ? partsOf(groups.parts ?? "", at) : [{ text: groups.path, at }];
    return { from: groups.cwd === undefined ? "module" : "code", parts, runs: isRun(text, index, match[0]) };
  });
}

function partsOf(list: string, at: number): PathReference["parts"] {
  return [...list.matchAll(new RegExp(LITERAL, "g"))].map(({ 0: literal, index }) => ({ text: literal.slice(1, -1), at: at + index + 1 }));
}

/** True: the path is passed to something that runs it, directly or by a variable. */
function isRun(text: string, index: number, match: string): boolean {
  const before = text.slice(Math.max(0, index - BEFORE), index);
  if (RUNS.test(before) || /^(?:Worker|fork)\)?\(/.test(match)) return true;
  const name = NAMES.exec(before)?.groups?.name?.replaceAll("$", "\\$");
  if (name === undefined) return false;
  return new RegExp(String.raw`${RUNNER}${name}(?![\w$])`).test(text);
}
