// Bundles the command and the runtime: one file each starts faster than a tree of modules.
import { copyFileSync, mkdirSync } from "node:fs";
import { build } from "esbuild";
import { buildNode } from "./runtime-images/node/build.mjs";
import { buildPython } from "./runtime-images/python/build.mjs";

const common = { bundle: true, platform: "node", target: "node20.19", logLevel: "warning", legalComments: "none" };
await Promise.all([
  build({
    ...common,
    entryPoints: ["cli/berth.ts"],
    outdir: "dist",
    format: "esm",
    packages: "external",
    splitting: true,
    chunkNames: "chunks/[name]-[hash]",
  }),
  // The dashboard's page, for browsers.
  build({
    entryPoints: { app: "pool-manager/dashboard/main.tsx" },
    outdir: "dist/dashboard",
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    jsx: "automatic",
    jsxImportSource: "preact",
    logLevel: "warning",
    legalComments: "none",
  }),
  build({
    ...common,
    entryPoints: {
      supervisor: "runtime-images/supervisor/supervisor.ts",
      worker: "runtime-images/node/worker/main.ts",
      compile: "runtime-images/node/worker/compile.ts",
      // Beside the supervisor, because images of Node's runtime run it too.
      custom: "runtime-images/custom/main.ts",
    },
    outdir: "runtime-images/node/dist",
    outExtension: { ".js": ".cjs" },
    format: "cjs",
  }),
]);
mkdirSync("dist/dashboard", { recursive: true });
copyFileSync("pool-manager/dashboard/index.html", "dist/dashboard/index.html");
buildNode();
buildPython();
