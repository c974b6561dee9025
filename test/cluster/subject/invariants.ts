import assert from "node:assert/strict";
import { get, type IncomingMessage } from "node:http";
import { createInterface } from "node:readline";
import type { InstanceRow } from "../../../pool-manager/api/schemas/schemas.ts";
import { type Change, Informer } from "../../../pool-manager/kubernetes/informer/informer.ts";
import { ANNOTATION, LABEL, type Pod } from "../../../pool-manager/platform/kruise/objects/objects.ts";
import type { PoolEvent } from "../../../pool-manager/pool/events.ts";
import { until } from "../../helpers/berth.ts";
import type { ClusterView } from "./cluster-view.ts";

const CHECK_INTERVAL_MS = 250;
const GRACE_MS = 1500;
const USABLE = new Set(["prewarmed", "specializing", "warm"]);

type Event = PoolEvent & { time: string };

/** I1, I2, I4, I5, I10 and I11 of docs/invariants.md, checked in the events of a pool manager and in the history of its pods. */
export class Invariants {
  readonly #view: ClusterView;
  readonly #pods: Informer<Pod>;
  readonly #stream: IncomingMessage;
  readonly #violations: string[] = [];
  readonly #functionOf = new Map<string, string>();
  readonly #specialized = new Map<string, string>();
  readonly #revisions = new Map<string, string>();
  readonly #removals: number[] = [];
  /** Instances of which an event has said that they leave, and why. */
  readonly #leaving = new Set<string>();
  readonly #rows = new Map<string, InstanceRow>();
  readonly #checks: NodeJS.Timeout;
  #lines = 0;
  /** Most removals and in-place changes within a window. */
  budget = 1000;
  windowMs = 1000;

  private constructor(view: ClusterView, stream: IncomingMessage, manageUrl: string) {
    // One at a time: of two, the earlier answer could be read after the later one.
    let isChecking = false;
    this.#checks = setInterval(() => {
      if (isChecking) return;
      isChecking = true;
      void this.#check(manageUrl).finally(() => {
        isChecking = false;
      });
    }, CHECK_INTERVAL_MS);
    this.#view = view;
    this.#stream = stream;
    this.#pods = new Informer<Pod>(view.kube, {
      path: `/api/v1/namespaces/${view.namespace}/pods`,
      selector: LABEL.pool,
      onChange: (change) => this.#pod(change),
    });
  }

  static async watch(manageUrl: string, view: ClusterView): Promise<Invariants> {
    const stream = await new Promise<IncomingMessage>((resolve, reject) => get(`${manageUrl}/v1/events`, resolve).on("error", reject));
    assert.equal(stream.statusCode, 200);
    const invariants = new Invariants(view, stream, manageUrl);
    const lines = createInterface({ input: stream });
    for (const emitter of [stream, lines]) emitter.on("error", () => {});
    lines.on("line", (line) => {
      invariants.#lines += 1;
      if (line.startsWith("data:")) invariants.#event(JSON.parse(line.slice(5)) as Event);
    });
    const pool = (await (await fetch(`${manageUrl}/v1/pools/node`)).json()) as { budget: { actions: number; windowMs: number } };
    invariants.budget = pool.budget.actions;
    invariants.windowMs = pool.budget.windowMs;
    await invariants.#pods.start();
    return invariants;
  }

  /** Checks after the last request: no violation was seen, events were received, and every pod belongs to a pool or a function (I12). */
  async checkEnd(): Promise<void> {
    assert.deepEqual(this.#violations, []);
    // If a predecessor has done everything, no event follows, but the stream is alive.
    await until(() => this.#lines > 0, "the stream of events says something", 3000);
    const owners = new Set((await this.#view.sets()).map(({ metadata }) => metadata.uid));
    for (const pod of await this.#view.pods()) {
      const owned = pod.metadata.ownerReferences?.some(({ uid }) => owners.has(uid)) ?? false;
      assert.ok(owned, `pod ${pod.metadata.name} belongs to no CloneSet`);
    }
  }

  close(): void {
    clearInterval(this.#checks);
    this.#pods.close();
    this.#stream.destroy();
  }

  #pod(change: Change<Pod>): void {
    const { uid, labels, annotations } = change.object.metadata;
    const functionUid = labels?.[LABEL.function];
    const known = this.#functionOf.get(uid);
    if (known && functionUid !== known) this.#violate(1, `pod ${uid} was of ${known} and is of ${functionUid}`);
    if (functionUid) this.#functionOf.set(uid, functionUid);
    const revision = annotations?.[ANNOTATION.revision];
    if (revision) this.#revisions.set(uid, revision);
    if (change.type === "deleted") this.#removed();
  }

  #event(event: Event): void {
    if (event.type === "instance.removing" || event.type === "instance.crashed" || event.type === "instance.gone") this.#leaving.add(event.instance);
    if (event.type !== "instance.specialized") return;
    const { instance, function: name, revision } = event;
    const before = this.#specialized.get(instance);
    if (before && before.split("/")[0] !== name) this.#violate(1, `instance ${instance} was given to ${before} and to ${name}`);
    if (before === `${name}/${revision}` && event.start !== "warm") this.#violate(5, `instance ${instance} was claimed twice for ${before}`);
    this.#specialized.set(instance, `${name}/${revision}`);
  }

  /** Compares the pool manager's present list with its earlier lists and events. */
  async #check(manageUrl: string): Promise<void> {
    const get = async <T>(path: string) => ((await (await fetch(manageUrl + path, { signal: AbortSignal.timeout(2000) })).json()) as { items: T[] }).items;
    const [rows, functions] = await Promise.all([get<InstanceRow>("/v1/instances"), get<{ name: string; concurrency: number }>("/v1/functions")]).catch(
      () => [],
    );
    if (!rows || !functions) return;
    const caps = new Map(functions.map(({ name, concurrency }) => [name, concurrency]));
    for (const row of rows) this.#inspect(row, caps);
    const listed = new Set(rows.map(({ uid }) => uid));
    for (const [uid, { function: name, state }] of this.#rows) {
      if (listed.has(uid)) continue;
      this.#rows.delete(uid);
      // Events and list travel apart: the event may still be on its way.
      setTimeout(() => {
        if (state === "warm" && !this.#leaving.has(uid)) this.#violate(11, `instance ${uid} of ${name} left the list, and nothing said why`);
      }, GRACE_MS);
    }
  }

  #inspect(row: InstanceRow, caps: ReadonlyMap<string, number>): void {
    const { uid, epoch, inFlight, function: name, state } = row;
    // A restarted runtime knows nothing of its former life: it may be seen to leave, and never to be used again.
    if (!USABLE.has(state)) return;
    const before = this.#rows.get(uid);
    if (before && epoch < before.epoch) this.#violate(1, `the epoch of ${uid} fell from ${before.epoch} to ${epoch}`);
    // One that has never accepted an order is shown as its function's only while an order is on its way, and that may be lost.
    const isKept = (epoch === 0 && name === null) || name === before?.function;
    if (before?.function && !isKept) this.#violate(2, `instance ${uid} of ${before.function} says that it serves ${name}`);
    const cap = name === null ? 0 : (caps.get(name) ?? Number.POSITIVE_INFINITY);
    if (inFlight > cap) this.#violate(4, `${inFlight} invocations on ${uid}, whose function ${name} allows ${cap}`);
    this.#rows.set(uid, row);
  }

  #removed(): void {
    const now = performance.now();
    this.#removals.push(now);
    // Kruise and the kubelet take their time: what was asked for within one window may end within the next.
    const recent = this.#removals.filter((at) => now - at < this.windowMs);
    if (recent.length > 2 * this.budget) this.#violate(10, `${recent.length} pods were deleted within ${this.windowMs} ms`);
  }

  #violate(invariant: number, what: string): void {
    this.#violations.push(`invariant I${invariant}: ${what}`);
  }
}
