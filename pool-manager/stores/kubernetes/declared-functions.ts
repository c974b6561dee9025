import type { DeclarationListener } from "../../functions/function.ts";
import type { Change } from "../../kubernetes/informer/informer.ts";
import type { Declarations } from "./declarations.ts";
import type { DefinitionWatch } from "./definitions/definition-watch.ts";
import type { FunctionResource } from "./function-resource.ts";
import { Intake } from "./intake.ts";
import type { KnownFunctions } from "./known-functions.ts";
import { LostResources } from "./lost-resources.ts";
import { failing, missing, type StoreNotice } from "./notices.ts";
import type { ResourceClient } from "./resource-client.ts";
import type { FunctionSecrets } from "./secrets/function-secrets.ts";
import { SecretWatch } from "./secrets/secret-watch.ts";
import type { FunctionStatusWriter } from "./status/function-status-writer.ts";

export interface DeclaredFunctionsOptions {
  client: ResourceClient<FunctionResource>;
  known: KnownFunctions;
  definition: DefinitionWatch;
  declarations: Declarations;
  secrets: FunctionSecrets;
  status: Pick<FunctionStatusWriter, "accept" | "write" | "consider" | "forget">;
  notice(notice: StoreNotice): void;
}

/**
 * Carries what resources declare to the registry: new and changed declarations, deletions that were meant, and changed
 * Secrets. A function whose resource is lost otherwise continues, and the resource is rewritten.
 */
export class DeclaredFunctions {
  readonly #options: DeclaredFunctionsOptions;
  readonly #intake: Intake;
  readonly #lost: LostResources<FunctionResource>;
  readonly #secretChanges: SecretWatch;
  /** Null: declarations are not followed yet. */
  #listener: DeclarationListener | null = null;

  constructor(options: DeclaredFunctionsOptions) {
    this.#options = options;
    const { client, known, definition, declarations, secrets, notice } = options;
    this.#intake = new Intake({
      find: (name) => client.cache.get(name),
      take: (resource) => this.#take(resource),
      refuse: (resource, error) => client.refuse(resource, error),
      hold: (resource, error) => client.hold(resource, error),
    });
    this.#lost = new LostResources<FunctionResource>({
      definition,
      get: (name) => client.find(name),
      exclusively: (name, work) => this.#intake.exclusively(name, work),
      withdrawn: (name, uid) => this.#withdraw(name, uid),
      found: async (resource) => this.#found(resource),
      rewrite: (resource) => this.#rewrite(resource),
      tell: (count, why) => notice({ topic: count > 0 ? "missing" : "restored", kind: "Function", count, message: missing("functions", count, why) }),
    });
    this.#secretChanges = new SecretWatch({
      read: (name) => secrets.read(name),
      references: () => declarations.references(),
      taken: (name) => (known.hasLostSecrets(name) ? undefined : declarations.secretOf(name)),
      changed: (name) => this.#intake.again(name),
      onTrouble: (message) => notice(failing("the Secrets that functions name are not looked at", message)),
    });
  }

  /** Starts to tell the listener of declarations, those that changed before included. */
  follow(listener: DeclarationListener): void {
    this.#listener = listener;
    const { client, known } = this.#options;
    for (const { metadata, status } of client.cache.all()) {
      // A record of which only a part is left is none, whatever state it claims to follow from.
      if (status?.uid && !known.get(metadata.name)) this.#intake.again(metadata.name);
      else this.#intake.consider(metadata.name);
    }
    this.#secretChanges.start();
  }

  changed({ type, object }: Change<FunctionResource>): void {
    const { name, uid } = object.metadata;
    if (type === "present") {
      if (!this.#listener) return;
      this.#intake.consider(name);
      this.#options.status.consider(name);
    } else if (this.#options.known.hasResource(name, uid)) {
      this.#lost.noticed(object, type === "deleted");
    }
  }

  /** The API server's data are those of a backup: what resources declare now holds, even if their state was ingested before. */
  historyReset(): void {
    const { known, notice } = this.#options;
    const message = "the API server's data were set back: everything is listed anew";
    notice({ topic: "history", kind: "Function", count: known.size, message });
    for (const { record } of known.all()) this.#intake.again(record.name);
  }

  /** Whether this state of the resource has yet to be ingested. */
  isPending(resource: FunctionResource): boolean {
    return this.#intake.isPending(resource);
  }

  /** Whether the server lacks the resource of a known function. */
  isLost(name: string): boolean {
    return this.#lost.has(name);
  }

  /** Runs `work` while no declaration of this name is ingested. Never rejects. */
  exclusively(name: string, work: () => Promise<void>): Promise<void> {
    return this.#intake.exclusively(name, work);
  }

  /** Ingests a declaration again after a pause: its record may or may not have been written. */
  doubt(name: string): void {
    this.#intake.doubt(name);
  }

  /** Records that a function was removed, or written through the API: its resource is not missing. */
  settled(name: string): void {
    this.#lost.settled(name);
  }

  close(): void {
    this.#intake.close();
    this.#lost.close();
    this.#secretChanges.close();
  }

  async #take(resource: FunctionResource): Promise<void> {
    const { name, uid } = resource.metadata;
    const { known, declarations } = this.#options;
    if (!this.#listener || this.#lost.has(name)) return;
    // The deletion of the former resource was not seen: this one stands for the same function.
    known.relink(name, uid);
    await declarations.prepare(resource);
    await this.#listener.declared(declarations.of(resource));
  }

  async #withdraw(name: string, uid: string): Promise<void> {
    const { known, declarations, status } = this.#options;
    if (!known.hasResource(name, uid)) return;
    known.forget(name);
    declarations.forget(name);
    status.forget(name);
    await this.#listener?.withdrawn(name);
  }

  /** Ingests a resource that stands for a known function: its declaration holds, and the record is Berth's. */
  #found(resource: FunctionResource): void {
    const { name, uid } = resource.metadata;
    const { client, known } = this.#options;
    client.cache.found(resource);
    if (known.get(name) && !known.hasResource(name, uid)) {
      known.relink(name, uid);
      this.#intake.again(name);
    } else {
      this.#intake.consider(name);
    }
  }

  /** Rewrites the resource of a function that continues without one. */
  async #rewrite(lost: FunctionResource): Promise<void> {
    const { client, known, secrets, status } = this.#options;
    const before = known.get(lost.metadata.name);
    if (!before) return;
    const made = await client.recreate(lost);
    known.relink(lost.metadata.name, made.metadata.uid);
    await secrets.save(before.record, before.secrets);
    // A declaration that was not ingested before is not ingested by this.
    if (this.#intake.isPending(lost)) await status.write(made, before.record);
    else await status.accept(made, made.metadata.generation ?? 0, before.record);
  }
}
