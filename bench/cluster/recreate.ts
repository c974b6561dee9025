import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { CodeImages } from "../../pool-manager/images/code-images.ts";
import { packLayer } from "../../pool-manager/images/layer.ts";
import { OciLayout } from "../../pool-manager/images/layout.ts";
import { KubeClient } from "../../pool-manager/kubernetes/client.ts";
import { functionSetName } from "../../pool-manager/platform/kruise/clonesets/manifests.ts";
import { connectKruise } from "../../pool-manager/platform/kruise/connect.ts";
import type { KruisePlatform } from "../../pool-manager/platform/kruise/kruise.ts";
import { CLONESETS, type CloneSet } from "../../pool-manager/platform/kruise/objects/objects.ts";
import type { Instance } from "../../pool-manager/platform/platform.ts";
import { until } from "../wait.ts";
import { deleteNamespace } from "./namespace.ts";

const FUNCTION = "recreated";
const WAIT = { boundMs: 60_000, everyMs: 5 };

interface Released {
  /** The API path of the function's CloneSet. */
  path: string;
  revision: string;
  ref: { layer: string; entry: string };
}

/**
 * Releases revisions with the same pods, images and load orders, but by Kruise's ReCreate update, which deletes the pod and
 * creates another with the new image. Neither a router nor a pool manager is involved.
 */
export class RecreateSubject {
  readonly #platform: KruisePlatform;
  readonly #kube: KubeClient;
  readonly #images: CodeImages;
  readonly #dir: string;
  readonly #term: number;
  #revision = 0;
  #known = "";
  #released: Released | null = null;

  private constructor(platform: KruisePlatform, kube: KubeClient, images: CodeImages, dir: string, term: number) {
    this.#platform = platform;
    this.#kube = kube;
    this.#images = images;
    this.#dir = dir;
    this.#term = term;
  }

  static async start(namespace: string): Promise<RecreateSubject> {
    const dir = mkdtempSync(join(tmpdir(), "berth-bench-"));
    const layout = new OciLayout(dir);
    const entryProgram = resolve("runtime-images/entry/entry-linux-amd64");
    const images = new CodeImages(layout, entryProgram);
    await images.open();
    const { platform, lead } = await connectKruise(
      {
        kubeconfig: null,
        namespace,
        registry: process.env.BERTH_REGISTRY ?? "",
        registryVia: null,
        images: null,
        insecureRegistry: false,
        pullSecret: null,
        anyKruise: false,
        loadPath: "image",
        sizeClasses: [],
        disk: "1Gi",
        memory: "256Mi",
        cacheDir: process.env.BERTH_CACHE_DIR ?? join(dir, "cache"),
      },
      {
        runtimeDist: resolve("runtime-images/node/dist"),
        pythonDist: resolve("runtime-images/python/dist"),
        entryProgram,
        codeDir: join(dir, "code"),
        blob: (digest) => layout.get(digest),
        now: () => performance.now(),
        onWrite: () => {},
        onWriteFailed: () => {},
        onTrouble: () => {},
        stop: new AbortController().signal,
        lead: async () => ({ term: 1, certain: () => true, challenge: () => {}, release: async () => {} }),
      },
    );
    await platform.start();
    const subject = new RecreateSubject(platform, await KubeClient.connect(null, namespace), images, dir, lead.term);
    await subject.release('export default { fetch: () => new Response("first") };', "first");
    return subject;
  }

  /** Releases a revision; returns the milliseconds from the first write to the first correct answer of the new pod. */
  async release(source: string, answer: string): Promise<number> {
    const tar = await packLayer([{ path: "index.mjs", data: new TextEncoder().encode(source) }]);
    const { ref } = await this.#images.upload(tar);
    const revision = `r${++this.#revision}`;
    const image = await this.#images.build(FUNCTION, revision, revision, ref.layer);
    const layer = await this.#images.layer(ref.layer);
    const from = performance.now();
    this.#platform.prepareCode([{ functionUid: FUNCTION, pool: "node", revision, image, digest: ref.layer, entry: ref.entry, layer }]);
    const path = `${CLONESETS}/namespaces/${this.#kube.namespace}/clonesets/${functionSetName(FUNCTION, "node")}`;
    await until(
      async () => {
        const set = await this.#kube.get<CloneSet>(path).catch(() => null);
        return set?.spec.template.spec.containers.some((container) => container.image.endsWith(image)) ?? false;
      },
      "the function's CloneSet has the image",
      WAIT,
    );
    const updateStrategy = { type: "ReCreate", partition: 0, maxUnavailable: "100%", paused: false };
    await this.#kube.patch(path, "merge", { spec: { replicas: 1, scaleStrategy: { maxUnavailable: 1 }, updateStrategy } });
    this.#released = { path, revision, ref };
    await this.#answered(answer);
    return performance.now() - from;
  }

  async empty(): Promise<void> {
    await this.#kube.patch(this.#released?.path ?? "", "merge", { spec: { replicas: 0 } });
    await until(() => this.#platform.observe().instances.size === 0, "all instances have ended", WAIT);
  }

  /** Creates a pod for the released revision; returns the milliseconds until its first correct answer. */
  async create(answer: string): Promise<number> {
    const { path } = this.#released as Released;
    const from = performance.now();
    await this.#kube.patch(path, "merge", { spec: { replicas: 1, scaleStrategy: { maxUnavailable: 1 } } });
    await this.#answered(answer);
    return performance.now() - from;
  }

  /** Waits for a new instance, loads the released revision into it, and waits for its answer. */
  async #answered(answer: string): Promise<void> {
    const { revision, ref } = this.#released as Released;
    let instance: Instance | undefined;
    await until(
      () => {
        instance = [...this.#platform.observe().instances.values()].find(({ uid, echo }) => uid !== this.#known && echo?.state === "prewarmed");
        return instance !== undefined;
      },
      "a new instance is prewarmed",
      WAIT,
    );
    await this.#load(instance as Instance, revision, ref);
    const { host, key, echo } = this.#platform.observe().instances.get(instance?.uid ?? "") as Instance;
    const headers = { "x-berth-function": FUNCTION, "x-berth-revision": revision, "x-berth-key": key ?? "" };
    await until(async () => (await (await fetch(`http://${host}:${echo?.port}/`, { headers })).text()) === answer, "the instance answers", WAIT);
    this.#known = instance?.uid ?? "";
  }

  async stop(): Promise<void> {
    await this.#platform.close();
    const { namespace } = this.#kube;
    this.#kube.close();
    await deleteNamespace(namespace);
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #load({ uid, echo }: Instance, revision: string, { layer, entry }: { layer: string; entry: string }): Promise<void> {
    const settings = { entry, handler: null, signature: null, concurrency: 10, timeoutMs: 10_000 };
    const answer = await this.#platform.load(
      {
        uid,
        bootId: echo?.bootId ?? "",
        epoch: echo?.epoch ?? 0,
        functionUid: FUNCTION,
        functionName: FUNCTION,
        revision,
        digest: layer,
        term: this.#term,
        loadTimeoutMs: 30_000,
        settings,
        env: {},
      },
      new Uint8Array(),
    );
    if (!answer.accepted) throw new Error(`the order was refused: ${answer.refusal}`);
  }
}
