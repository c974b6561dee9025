import { FileStore } from "./functions/file-store.ts";
import type { FunctionStore } from "./functions/function.ts";
import { PoolFiles } from "./functions/pool-files.ts";
import type { FunctionRegistry } from "./functions/registry.ts";
import type { CodeImages } from "./images/code-images.ts";
import { packLayer } from "./images/layer.ts";
import type { Kube } from "./platform/kruise/kube.ts";
import type { PoolStore, Pools } from "./pool/pools.ts";
import type { Reconciler } from "./pool/reconciler.ts";
import { FunctionResources } from "./resources/function-resources.ts";
import { installDefinitions } from "./resources/install.ts";
import { PoolResources } from "./resources/pool-resources.ts";

/** What is shown of functions and pools in their resources is at most this old. Milliseconds. */
const REPORT_EVERY_MS = 2000;

/** Where functions and pools are kept: files of the state directory, or custom resources of the cluster. */
export interface Stores {
  functions: FunctionStore;
  pools: PoolStore;
  /** Begins to take in what is declared past the API, and to show how things are. */
  follow(functions: FunctionRegistry, pools: Pools, reconciler: Reconciler): Promise<void>;
  close(): void;
}

export function fileStores(stateDir: string): Stores {
  return { functions: new FileStore(stateDir), pools: new PoolFiles(stateDir), follow: async () => {}, close: () => {} };
}

/** `known` finds code that a revision has. */
export async function resourceStores(
  kube: Kube,
  term: number,
  runtimes: readonly string[],
  images: CodeImages,
  known: FunctionRegistry["codeByDigest"],
): Promise<Stores> {
  await installDefinitions(kube);
  const upload = async (files: Record<string, string>) => {
    const tar = await packLayer(Object.entries(files).map(([path, text]) => ({ path, data: Buffer.from(text) })));
    return (await images.upload(tar)).ref;
  };
  const code = (digest: string) => known(digest) ?? images.uploaded(digest).ref;
  const functions = new FunctionResources({ kube, term, runtimes, code, upload });
  const pools = new PoolResources(kube, term);
  let timer: NodeJS.Timeout | null = null;
  return {
    functions,
    pools,
    async follow(registry, all, reconciler) {
      await pools.follow(all.list(), (name, change) => all.declare(name, change));
      functions.follow({ declared: (declaration) => registry.declare(declaration), withdrawn: (name) => registry.withdraw(name) });
      const again = () => {
        timer = setTimeout(() => void report(functions, pools, registry, all, reconciler).finally(() => timer && again()), REPORT_EVERY_MS);
      };
      again();
    },
    close() {
      if (timer) clearTimeout(timer);
      timer = null;
      functions.close();
      pools.close();
    },
  };
}

/** What cannot be written now is written the next time. */
async function report(functions: FunctionResources, pools: PoolResources, registry: FunctionRegistry, all: Pools, reconciler: Reconciler): Promise<void> {
  const { instances, synced } = reconciler.view();
  if (!synced) return;
  const warm = new Map<string | null, number>();
  for (const { functionUid, state, removing } of instances) {
    if (state === "warm" && !removing) warm.set(functionUid, (warm.get(functionUid) ?? 0) + 1);
  }
  const readiness = reconciler.reports.readiness();
  for (const { uid, name, active } of registry.list()) {
    await functions.report(name, warm.get(uid) ?? 0, readiness(uid, active)).catch(() => {});
  }
  for (const pool of all.list()) {
    const own = instances.filter((instance) => instance.pool === pool.name);
    await pools.report(pool, own.filter(({ state, boundTo }) => state === "prewarmed" && boundTo === null).length, own.length).catch(() => {});
  }
}
