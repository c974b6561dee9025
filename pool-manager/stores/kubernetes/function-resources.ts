import { ManagerError } from "../../errors.ts";
import type { CodeRef, Declaration, DeclarationListener, FunctionRecord, FunctionStore, Secrets } from "../../functions/function.ts";
import type { ResourceBounds } from "../../functions/manifest/resources.ts";
import type { Collector } from "../../functions/retention.ts";
import type { TakeImage } from "../../images/foreign/image-intake.ts";
import { Declarations } from "./declarations.ts";
import { DeclaredFunctions } from "./declared-functions.ts";
import { DefinitionWatch } from "./definitions/definition-watch.ts";
import { FormerFunctions } from "./former-functions.ts";
import { type FunctionResource, holdersOf } from "./function-resource.ts";
import { KnownFunctions } from "./known-functions.ts";
import { damagedRecords, damagedSecrets, dropped, failing, type StoreNotice } from "./notices.ts";
import { type KubeApi, ResourceClient, storeError } from "./resource-client.ts";
import { FunctionSecrets } from "./secrets/function-secrets.ts";
import { SecretUpkeep } from "./secrets/secret-upkeep.ts";
import type { Readiness } from "./status/function-status.ts";
import { FunctionStatusWriter } from "./status/function-status-writer.ts";

export interface FunctionResourceOptions {
  kube: KubeApi;
  term: number;
  runtimes: readonly string[];
  /** The most that a function can have; null: it is not known. */
  bounds: ResourceBounds | null;
  /** Code by the digest of its layer. Rejects with `CODE_UNKNOWN` or `STORE_FAILED`. */
  code(digest: string): Promise<CodeRef>;
  /** Stores the files of a small function as code. */
  upload(files: Record<string, string>): Promise<CodeRef>;
  takeImage: TakeImage;
  /** Bytes of a manifest or configuration of a code image. */
  blob(digest: string): Promise<Uint8Array>;
  notice(notice: StoreNotice): void;
  /** Retries a step of the start while only the API server's answer is missing. */
  patiently<T>(work: () => Promise<T>): Promise<T>;
}

/**
 * Functions as custom resources. A resource's spec is what somebody declares, with kubectl or through the API; its status is
 * Berth's record of it. A deployment through the API is written as a spec too, under a field manager of its own, so that
 * neither way overwrites the other's fields.
 */
export class FunctionResources implements FunctionStore {
  readonly #options: FunctionResourceOptions;
  readonly #client: ResourceClient<FunctionResource>;
  readonly #secrets: FunctionSecrets;
  readonly #known = new KnownFunctions();
  readonly #definition: DefinitionWatch;
  readonly #declarations: Declarations;
  readonly #declared: DeclaredFunctions;
  readonly #secretUpkeep: SecretUpkeep;
  readonly #status: FunctionStatusWriter;

  constructor(options: FunctionResourceOptions) {
    this.#options = options;
    const { kube, term, notice, blob, runtimes, bounds, code, upload, takeImage } = options;
    const known = this.#known;
    const client = new ResourceClient<FunctionResource>({
      kube,
      kind: "Function",
      plural: "functions",
      term,
      onChange: (change) => this.#declared.changed(change),
      onHistoryReset: () => this.#declared.historyReset(),
      onDropped: (fields) => notice({ topic: "dropped", kind: "Function", count: fields.length, message: dropped("Function", fields) }),
    });
    const secrets = new FunctionSecrets(kube, (names) => notice({ topic: "damaged", kind: "Function", count: names.length, message: damagedSecrets(names) }));
    const definition = new DefinitionWatch(kube, "functions", "Function");
    const former = new FormerFunctions({ kube, blob, secrets: () => secrets.load(), isKnown: (uid) => known.hasFunction(uid) });
    const isPending = (resource: FunctionResource) => this.#declared.isPending(resource);
    const declarations = new Declarations({ client, secrets, former, runtimes, bounds, code, upload, takeImage, isPending });
    const status = new FunctionStatusWriter({
      client,
      known,
      secretOf: (name) => declarations.secretOf(name),
      isLost: (name) => this.#declared.isLost(name),
      exclusively: (name, work) => this.#declared.exclusively(name, work),
      notice,
    });
    this.#client = client;
    this.#secrets = secrets;
    this.#definition = definition;
    this.#declarations = declarations;
    this.#status = status;
    this.#declared = new DeclaredFunctions({ client, known, definition, declarations, secrets, status, notice });
    this.#secretUpkeep = new SecretUpkeep({
      functions: () => known.settled(),
      kept: () => secrets.load(),
      write: (held) => secrets.save(held.record, held.secrets),
      onTrouble: (message) => notice(failing("functions' secrets are not kept", message)),
    });
  }

  async load(): Promise<{ record: FunctionRecord; secrets: Secrets }[]> {
    const { patiently, notice } = this.#options;
    await patiently(() => this.#definition.remember());
    await this.#client.cache.start();
    const stored = await patiently(() => this.#secrets.load());
    const damaged = this.#known.load(this.#client.cache.all(), stored);
    if (damaged.length > 0) notice({ topic: "damaged", kind: "Function", count: damaged.length, message: damagedRecords(damaged) });
    return this.#known.all().map(({ record, secrets }) => ({ record, secrets }));
  }

  /** Starts to tell of declarations that do not come through the API, those that changed before included. */
  follow(listener: DeclarationListener): void {
    this.#declared.follow(listener);
    this.#secretUpkeep.start();
  }

  save(record: FunctionRecord, secrets: Secrets, declaration?: Declaration): Promise<void> {
    const { name } = record;
    return this.#write(name, async () => {
      const resource = declaration ? this.#client.cache.get(name) : await this.#declarations.declare(record);
      if (!resource) throw new ManagerError("STORE_FAILED", `the resource of ${name} is not there`);
      try {
        await this.#secrets.save(record, secrets);
        await this.#status.accept(resource, declaration?.version ?? resource.metadata.generation ?? 0, record);
      } catch (error) {
        // It may have been written though no answer came.
        this.#declared.doubt(name);
        throw error;
      }
      this.#known.set({ uid: resource.metadata.uid, record, secrets });
      this.#declared.settled(name);
    });
  }

  /** Uid of a function's resource; null: it has none at present. */
  uidOf(name: string): string | null {
    return this.#client.cache.get(name)?.metadata.uid ?? null;
  }

  endingOf(name: string): string[] | null {
    const resource = this.#client.cache.get(name);
    return resource ? holdersOf(resource) : null;
  }

  progress(record: FunctionRecord, secrets: Secrets): Promise<void> {
    const { name } = record;
    return this.#write(name, async () => {
      const resource = this.#client.cache.get(name);
      if (!resource) throw new ManagerError("STORE_FAILED", `the resource of ${name} is not there: it is written again as soon as that is possible`);
      await this.#status.write(resource, record);
      this.#known.set({ uid: resource.metadata.uid, record, secrets });
    });
  }

  async remove({ name }: FunctionRecord): Promise<void> {
    const resource = this.#client.cache.get(name);
    const known = this.#known.get(name);
    this.#known.forget(name);
    try {
      const held = resource && (await this.#client.delete(resource));
      // A resource that finalizers hold is there at the next start too: without the record it is no function. The deletion has happened
      // whether this write succeeds or not; one that fails is counted as every failed write is.
      if (held) await this.#client.updateStatus(held, ({ conditions }) => ({ conditions })).catch(() => {});
      this.#declared.settled(name);
      this.#declarations.forget(name);
      this.#status.forget(name);
    } catch (error) {
      if (known) this.#known.set(known);
      throw storeError(name, error);
    }
  }

  /** Writes how a function fares, if that has changed. */
  report(name: string, warm: number, now: Readiness): Promise<void> {
    return this.#status.report(name, warm, now);
  }

  /** Layers that some resource names. */
  declared(): Set<string> {
    return new Set([...this.#client.cache.all()].flatMap(({ spec }) => spec.code?.digest ?? []));
  }

  /** Removes the secret values of functions that are not among these, once the collector allows it. */
  retain(functions: ReadonlySet<string>, collector: Collector): Promise<void> {
    return this.#secrets.retain(functions, collector);
  }

  close(): void {
    this.#client.close();
    this.#declared.close();
    this.#secretUpkeep.close();
    this.#status.close();
  }

  async #write(name: string, work: () => Promise<void>): Promise<void> {
    try {
      await this.#known.whileWriting(name, work);
    } catch (error) {
      throw storeError(name, error);
    } finally {
      this.#status.consider(name);
    }
  }
}
