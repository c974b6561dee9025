import { join, resolve } from "node:path";
import { type Command, Option } from "commander";
import { CliError, EXIT } from "../errors.ts";
import { globals } from "../options/globals.ts";
import { type RegistryOptions, withRegistryOptions } from "../options/platform-options.ts";
import { printData } from "../output.ts";
import { packageRoot } from "../package-root.ts";

interface ImagesOptions extends RegistryOptions {
  cacheDir: string;
}

/** Adds the command images. */
export function imageCommands(program: Command): void {
  withRegistryOptions(program.command("images"))
    .description("build the images of Berth and of its instances from this checkout, push them, and print them as values of the chart")
    .addOption(new Option("--cache-dir <dir>", "where large layers are kept").env("BERTH_CACHE_DIR").default(".berth/cache"))
    .action(async (options: ImagesOptions, command: Command) => {
      const { format } = globals(command);
      printData({ images: await pushImages(options) }, format === "json" ? "json" : "yaml");
    });
}

async function pushImages(options: ImagesOptions): Promise<{ berth: string; runtime: string; idle: string }> {
  const { registry, registryVia = null, insecureRegistry = false } = options;
  if (!registry) throw new CliError("REGISTRY_MISSING", "images are pushed to a registry", "name it with --registry or BERTH_REGISTRY", EXIT.usage);
  const root = packageRoot();
  const [{ pushInstanceImages, registryOf }, { buildBerthImage }, { pushImage }, { ENTRY_PROGRAM }] = await Promise.all([
    import("../../pool-manager/platform/kruise/connect.ts"),
    import("../../pool-manager/images/berth-image.ts"),
    import("../../pool-manager/images/runtime-image.ts"),
    import("../../pool-manager/images/code-images.ts"),
  ]);
  const client = registryOf({ registry, registryVia, insecureRegistry });
  const cacheDir = resolve(options.cacheDir);
  const own = { entryProgram: join(root, ENTRY_PROGRAM), runtimeDist: join(root, "runtime-images/node/dist") };
  const berth = await pushImage(client, "berth/berth", await buildBerthImage(root, cacheDir));
  const { node, idle } = await pushInstanceImages(client, cacheDir, own);
  return { berth, runtime: node, idle };
}
