import fc from "fast-check";
import { expect, test } from "vitest";
import { LeaderElection } from "../../../../../../pool-manager/platform/kruise/leader-election/leader-election.ts";
import { highestTerm } from "../../../../../../pool-manager/platform/kruise/leader-election/terms.ts";
import { newCloneSet } from "../../../../../helpers/builders/objects.ts";
import { internalError, tooManyRequests } from "../../../../../kubernetes/api/api-error.ts";
import type { Effect } from "../../../../../kubernetes/api/faults.ts";
import { MemoryCluster } from "../../../../../kubernetes/cluster.ts";
import { VirtualTime } from "../../../../../kubernetes/virtual-time.ts";

const LEASE = "/apis/coordination.k8s.io/v1/namespaces/berth/leases/berth";
const SETS = "/apis/apps.kruise.io/v1alpha1/namespaces/berth/clonesets";
const CANDIDATES = ["one", "two", "three"];
/** After this time without faults, one of them leads. */
const CALM_MS = 30_000;
const CHECK_INTERVAL_MS = 150;

const client = fc.constantFrom(...CANDIDATES);
const effect: fc.Arbitrary<Effect> = fc.oneof(
  fc.constantFrom(internalError("etcd is away"), tooManyRequests(1)).map((error) => ({ kind: "refuse", error }) as const),
  fc.constantFrom("hang", "unreachable", "lose").map((kind) => ({ kind }) as const),
  fc.integer({ min: 1, max: 1990 }).map((ms) => ({ kind: "slow", ms }) as const),
);
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ what: fc.constant("begin" as const), client }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("release" as const), client }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant("die" as const), client }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constant("fault" as const), client, effect, ms: fc.integer({ min: 1, max: 15_000 }) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("outage" as const), ms: fc.integer({ min: 1, max: 60_000 }) }) },
  { weight: 2, arbitrary: fc.constantFrom("delete", "free", "lower").map((what) => ({ what }) as const) },
  { weight: 5, arbitrary: fc.record({ what: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 10_000 }) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

interface Candidate {
  stop: AbortController;
  lead: LeaderElection | null;
  /** Cuts it off for good, as its death would. */
  dead: (() => void) | null;
}

/** Pool managers that want the Lease of one namespace, each with an API server that is sometimes away. */
class Election {
  readonly cluster = new MemoryCluster();
  readonly terms: number[] = [];
  /** The pool managers that were certain at the same time, if more than one was. */
  readonly both = new Set<string>();
  readonly #candidates = new Map<string, Candidate>();
  #lives = 0;

  async do(step: Step, time: VirtualTime): Promise<void> {
    if (step.what === "wait") await time.sleep(step.ms);
    else if (step.what === "outage") setTimeout(this.cluster.faults.add({}, { kind: "unreachable" }), step.ms);
    else if (step.what === "fault") setTimeout(this.cluster.faults.add({ client: step.client }, step.effect), step.ms);
    else if (step.what === "begin") this.begin(step.client);
    else if (step.what === "die")
      this.#end(step.client)
        ?.lead?.release()
        .catch(() => {});
    else if (step.what === "release") await this.#release(step.client);
    else this.#edit(step.what);
  }

  begin(name: string): void {
    if (this.#candidates.has(name)) return;
    const candidate: Candidate = { stop: new AbortController(), lead: null, dead: null };
    this.#candidates.set(name, candidate);
    const forget = () => this.#candidates.get(name) === candidate && this.#candidates.delete(name);
    const { signal } = candidate.stop;
    const kube = this.cluster.connect(name);
    const holder = `${name}-${++this.#lives}`;
    const options = {
      kube,
      holder,
      url: `http://${name}`,
      highestTerm: () => highestTerm(kube),
      isFirst: () => false,
      onLeader: () => {},
      onTrouble: () => {},
      onLost: forget,
      stop: signal,
    };
    LeaderElection.acquire(options).then(
      (lead) => {
        this.terms.push(lead.term);
        this.#write(lead.term);
        candidate.lead = lead;
        this.check();
        if (signal.aborted) candidate.dead = this.cluster.faults.add({ client: name }, { kind: "unreachable" });
      },
      () => forget(),
    );
  }

  /** Deletes the Lease, removes its holder, or lowers its term, as a person may. */
  #edit(how: "delete" | "free" | "lower"): void {
    const { store } = this.cluster;
    if (!store.get("coordination.k8s.io/leases", "berth", "berth")) return;
    if (how === "delete") this.cluster.at("DELETE", LEASE);
    else this.cluster.at("PATCH", LEASE, { spec: how === "free" ? { holderIdentity: "" } : { leaseTransitions: 0 } });
  }

  /** A leader's term is with all that it writes. */
  #write(term: number): void {
    const metadata = { labels: { "berth.dev/pool": "node" }, annotations: { "berth.dev/term": String(term) } };
    if (this.cluster.store.get("apps.kruise.io/clonesets", "berth", "pool")) return void this.cluster.at("PATCH", `${SETS}/pool`, { metadata });
    this.cluster.make(SETS, newCloneSet("pool", { metadata }));
  }

  /** Names of those that are certain to lead. */
  certain(): string[] {
    return [...this.#candidates].filter(([, { lead }]) => lead?.certain()).map(([name]) => name);
  }

  check(): void {
    const certain = this.certain();
    if (certain.length > 1) this.both.add(certain.join());
  }

  close(): void {
    for (const name of [...this.#candidates.keys()])
      this.#end(name)
        ?.lead?.release()
        .catch(() => {});
  }

  async #release(name: string): Promise<void> {
    const { lead } = this.#candidates.get(name) ?? {};
    if (!lead) return;
    await lead.release();
    this.#end(name);
  }

  /** It is gone without a word: what it sends from now on arrives nowhere. */
  #end(name: string): Candidate | undefined {
    const candidate = this.#candidates.get(name);
    this.#candidates.delete(name);
    candidate?.stop.abort();
    const heal = this.cluster.faults.add({ client: name }, { kind: "unreachable" });
    setTimeout(heal, 5000);
    return candidate;
  }
}

test("two pool managers are never both certain to lead, each leadership has a higher term, and in the end somebody leads", async () => {
  const property = fc.asyncProperty(fc.array(step, { maxLength: 30, size: "max" }), fc.integer({ min: 1, max: 2 ** 30 }), (steps, seed) =>
    VirtualTime.run(seed, async (time) => {
      const election = new Election();
      const watch = setInterval(() => election.check(), CHECK_INTERVAL_MS);
      for (const name of CANDIDATES.slice(0, 2)) election.begin(name);
      for (const one of steps) await election.do(one, time);
      await time.sleep(60_000);
      election.cluster.faults.clear();
      for (const name of CANDIDATES) election.begin(name);
      await time.sleep(CALM_MS);
      const leads = election.certain();
      clearInterval(watch);
      election.close();
      expect([...election.both]).toEqual([]);
      expect(leads).toHaveLength(1);
      expect(election.terms).toEqual([...new Set(election.terms)].sort((a, b) => a - b));
    }),
  );
  await fc.assert(property, { seed: 7, numRuns: 25 });
});
