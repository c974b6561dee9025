import { existsSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { BuildFailure } from "esbuild";
import { packLayer } from "../pool-manager/images/layer.ts";
import { CliError, EXIT } from "./errors.ts";

const CANDIDATES = ["index.ts", "index.mts", "index.cts", "index.mjs", "index.js", "index.cjs", "src/index.ts", "src/index.js"];

/** ES modules bundled from CommonJS parts need `require` and the two paths. */
const ESM_BANNER = [
  'import { createRequire as __berthRequire } from "node:module";',
  'import { fileURLToPath as __berthPath } from "node:url";',
  "const require = __berthRequire(import.meta.url);",
  "const __filename = __berthPath(import.meta.url);",
  'const __dirname = __berthPath(new URL(".", import.meta.url));',
].join(" ");

/** Bundles a file or directory with its dependencies into the tar that POST /v1/code takes. */
export async function bundle(from: string): Promise<Uint8Array> {
  const entry = findEntry(resolve(from));
  const { build } = await import("esbuild");
  const run = async (format: "esm" | "cjs") => {
    const result = await build({
      entryPoints: [entry],
      bundle: true,
      platform: "node",
      target: "node20",
      write: false,
      metafile: true,
      logLevel: "silent",
      legalComments: "none",
      format,
      outfile: "bundle.js",
      banner: format === "esm" ? { js: ESM_BANNER } : {},
    });
    const [output] = Object.values(result.metafile?.outputs ?? {});
    return { code: result.outputFiles?.[0]?.contents, source: result.metafile?.inputs[output?.entryPoint ?? ""]?.format };
  };
  try {
    const esm = await run("esm");
    return esm.source === "cjs" ? pack("index.cjs", (await run("cjs")).code) : pack("index.mjs", esm.code);
  } catch (error) {
    throw bundleError(error as BuildFailure, from);
  }
}

function pack(path: string, data: Uint8Array | undefined): Promise<Uint8Array> {
  return packLayer([{ path, data: data ?? new Uint8Array() }]);
}

function findEntry(path: string): string {
  if (!existsSync(path)) throw new CliError("SOURCE_NOT_FOUND", `${path} does not exist`, "name a file or a directory with --from", EXIT.usage);
  if (statSync(path).isFile()) return path;
  const main = packageMain(path);
  const found = [...(main ? [main] : []), ...CANDIDATES].find((name) => existsSync(join(path, name)));
  if (!found) {
    throw new CliError(
      "SOURCE_NOT_FOUND",
      `${path} has no entry module`,
      `add one of ${CANDIDATES.slice(0, 6).join(", ")}, or name the file with --from`,
      EXIT.usage,
    );
  }
  return join(path, found);
}

function packageMain(dir: string): string | undefined {
  const path = join(dir, "package.json");
  if (!existsSync(path)) return undefined;
  const main = (JSON.parse(readFileSync(path, "utf8")) as { main?: unknown }).main;
  return typeof main === "string" ? main : undefined;
}

function bundleError(error: BuildFailure, from: string): CliError {
  const [first] = error.errors ?? [];
  const at = first?.location ? `${first.location.file}:${first.location.line}:${first.location.column}: ` : "";
  return new CliError(
    "BUNDLE_FAILED",
    `${from} could not be bundled: ${at}${first?.text ?? error.message}`,
    "correct the source, or install its dependencies with npm install",
  );
}
