import fc from "fast-check";
import { expect, test } from "vitest";
import { pick } from "../../../../router/limiter/pick.ts";
import type { Reservation, Slot } from "../../../../router/limiter/slot.ts";
import { Slots } from "../../../../router/limiter/slots.ts";
import { endpoint } from "../../../helpers/builders/table.ts";

const CONCURRENCY = 2;
const UIDS = ["a", "b", "c", "d"];

const endpointOf = (instanceUid: string) => endpoint({ instanceUid });

const slotOf = (instanceUid: string, change: Partial<Slot> = {}): Slot => {
  return { instanceUid, endpoint: endpointOf(instanceUid), inFlight: 0, blockedUntil: 0, usedAt: 0, since: 0, loaded: true, moved: null, ...change };
};

test.each<[string, Slot[], Slot[], string | null]>([
  ["the one that became idle last", [slotOf("a"), slotOf("b")], [], "b"],
  ["not one that rests", [slotOf("a"), slotOf("b", { blockedUntil: 11 })], [], "a"],
  ["one whose rest ends now", [slotOf("a"), slotOf("b", { blockedUntil: 10 })], [], "b"],
  ["the one with the fewest invocations", [], [slotOf("a", { inFlight: 2 }), slotOf("b", { inFlight: 1 }), slotOf("c", { inFlight: 2 })], "b"],
  [
    "none that is full, rests or is no longer listed",
    [],
    [slotOf("a", { inFlight: 3 }), slotOf("b", { blockedUntil: 11 }), slotOf("c", { endpoint: null })],
    null,
  ],
])("the instance for the next invocation is %s, and the idle ones stay as they are", (_which, idle, busy, expected) => {
  const before = [...idle];
  const picked = pick(idle, [...idle, ...busy], 3, 10);
  expect([picked?.instanceUid ?? null, idle]).toEqual([expected, before]);
});

/** An instance as a reader of the rules knows it. `idleSince` orders those without invocations. */
interface Known {
  at: number;
  isListed: boolean;
  inFlight: number;
  idleSince: number;
}

type Step = { do: "list"; at: number; uids: string[] } | { do: "reserve"; at: number } | { do: "release"; which: number } | { do: "adopt" };

const at = fc.nat({ max: 1 });
const steps = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant("list" as const), at, uids: fc.subarray(UIDS) }),
    { weight: 4, arbitrary: fc.record({ do: fc.constant("reserve" as const), at }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("release" as const), which: fc.nat() }) },
    fc.record({ do: fc.constant("adopt" as const) }),
  ),
  { maxLength: 60 },
);

class Model {
  readonly known = new Map<string, Known>();
  #clock = 0;

  list(owner: number, uids: string[]): void {
    for (const [uid, one] of this.known) {
      if (one.at !== owner || uids.includes(uid)) continue;
      one.isListed = false;
      if (one.inFlight === 0) this.known.delete(uid);
    }
    for (const uid of uids) {
      const before = this.known.get(uid);
      const isNew = before?.at !== owner;
      const idleSince = isNew ? ++this.#clock : before.idleSince;
      this.known.set(uid, { at: owner, isListed: true, inFlight: before?.inFlight ?? 0, idleSince });
    }
  }

  /** Those that may be picked. */
  next(owner: number): string[] {
    const free = [...this.known].filter(([, one]) => one.at === owner && one.isListed && one.inFlight < CONCURRENCY);
    const least = Math.min(...free.map(([, { inFlight }]) => inFlight));
    const fewest = free.filter(([, { inFlight }]) => inFlight === least);
    const last = Math.max(...fewest.map(([, { idleSince }]) => idleSince));
    return fewest.filter(([, { idleSince }]) => least > 0 || idleSince === last).map(([uid]) => uid);
  }

  reserved(uid: string): void {
    (this.known.get(uid) as Known).inFlight += 1;
  }

  released(uid: string): void {
    const one = this.known.get(uid) as Known;
    one.inFlight -= 1;
    if (one.inFlight > 0) return;
    if (one.isListed) one.idleSince = ++this.#clock;
    else this.known.delete(uid);
  }

  adopt(): void {
    for (const one of this.known.values()) {
      if (one.at === 0 || one.inFlight === 0) continue;
      one.at = 0;
      one.isListed = false;
    }
  }
}

/** The slots of two revisions, beside what a reader of the rules expects of them. */
class Compared {
  readonly #model = new Model();
  readonly #both: Slots[] = [];
  readonly #held: Reservation[] = [];

  constructor() {
    const options = { now: () => 0, released: () => {}, moved: () => {}, siblings: () => this.#both };
    this.#both.push(new Slots(options), new Slots(options));
  }

  take(step: Step): void {
    const [first, second] = this.#both as [Slots, Slots];
    if (step.do === "list") {
      (step.at === 0 ? first : second).list(step.uids.map(endpointOf));
      this.#model.list(step.at, step.uids);
    } else if (step.do === "adopt") {
      first.adopt(second);
      this.#model.adopt();
    } else if (step.do === "release") this.#release(step.which);
    else this.#reserve(step.at === 0 ? first : second, this.#model.next(step.at));
    expect(first.inFlight + second.inFlight).toBe(this.#held.length);
  }

  #reserve(slots: Slots, expected: string[]): void {
    const reserved = slots.reserve(null, CONCURRENCY);
    if (!reserved) return expect(expected).toEqual([]);
    const { instanceUid } = reserved.endpoint;
    expect(expected).toContain(instanceUid);
    this.#held.push(reserved);
    this.#model.reserved(instanceUid);
  }

  #release(which: number): void {
    const [released] = this.#held.splice(which % Math.max(1, this.#held.length), 1);
    if (!released) return;
    released.release();
    this.#model.released(released.endpoint.instanceUid);
  }
}

// I7
test("after any listings, reservations, releases and moves, the pick is the slot that became idle last, else the one with the fewest invocations", () => {
  fc.assert(
    fc.property(steps, (all) => {
      const compared = new Compared();
      for (const step of all) compared.take(step);
    }),
    { numRuns: 500 },
  );
});
