// Bundles the command and the runtime: one file each starts faster than a tree of modules.
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
buildNode();
buildPython();
