import { dirname, relative } from "node:path";
import type { PluginBuild } from "esbuild";

const NAMESPACE = "berth-required";
const CREATED = String.raw`(?:\w+\.)?\bcreateRequire\(\s*(?:import\.meta\.(?:url|filename)|__filename|(?:\w+\.)?fileURLToPath\(\s*import\.meta\.url\s*\))\s*\)`;
const LITERAL = String.raw`\(\s*(?:"([^"\\\n]+)"|'([^'\\\n]+)')\s*\)`;
const VARIABLE = new RegExp(String.raw`\b(?:const|let|var)\s+([\w$]+)\s*(?::[^=;\n]+)?=\s*${CREATED}`, "g");

/** The paths that modules require by functions that they create themselves, by the names of `berth-required:` modules. */
export interface Required {
  wanted: Map<string, { importer: string; names: readonly string[] }>;
  /** The directory of the code. */
  base: string;
}

/**
 * An ES module that creates its own `require` gets the modules that it requires by literal names from the bundle; esbuild
 * bundles calls of the global `require` only. Anything else is left to the function of Node.
 */
export function requiresIn(path: string, text: string, { wanted, base }: Required): string {
  if (!/\bimport\.meta\b/.test(text)) return text;
  const callers = [CREATED, ...[...text.matchAll(VARIABLE)].map(([, name = ""]) => String.raw`(?<![\w$.])${name.replaceAll("$", "\\$")}`)];
  const calls = [...text.matchAll(new RegExp(`(?:${callers.join("|")})${LITERAL}`, "g"))];
  const names = [...new Set(calls.map(([, double, single]) => (double ?? single) as string))];
  if (names.length === 0) return text;
  const name = `${NAMESPACE}:${relative(base, path)}.cjs`;
  wanted.set(name, { importer: path, names });
  return `${text.replaceAll(new RegExp(CREATED, "g"), "__berth_required($&)")}\nimport __berth_required from ${JSON.stringify(name)};`;
}

/** Makes the modules that `requiresIn` imports. A name that cannot be resolved is left to the function of Node. */
export function requiredPlugin({ wanted }: Required, { onResolve, onLoad, resolve }: PluginBuild): void {
  onResolve({ filter: /^berth-required:/ }, ({ path }) => ({ path: path.slice(NAMESPACE.length + 1), namespace: NAMESPACE }));
  onLoad({ filter: /.*/, namespace: NAMESPACE }, async ({ path }) => {
    const { importer = "", names = [] } = wanted.get(`${NAMESPACE}:${path}`) ?? {};
    const resolveDir = dirname(importer);
    const found: string[] = [];
    for (const name of names) {
      const { errors } = await resolve(name, { kind: "require-call", importer, resolveDir });
      if (errors.length === 0) found.push(`${JSON.stringify(name)}: () => require(${JSON.stringify(name)})`);
    }
    const contents = `const bundled = { ${found.join(", ")} };
module.exports = (require) => Object.assign((name) => Object.hasOwn(bundled, name) ? bundled[name]() : require(name), require);`;
    return { contents, loader: "js", resolveDir };
  });
}
