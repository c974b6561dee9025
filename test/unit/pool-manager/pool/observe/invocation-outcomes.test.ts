import { expect, test } from "vitest";
import { type Counts, InvocationOutcomes } from "../../../../../pool-manager/pool/observe/invocation-outcomes.ts";

/** The outcomes for a pool manager that leads from 1000 on; times in milliseconds. */
function heard(): { outcomes: InvocationOutcomes; hear: (router: string, counts: Counts, countedMs?: number) => void } {
  const outcomes = new InvocationOutcomes(1000);
  let now = 2000;
  const hear = (router: string, counts: Counts, countedMs?: number) => {
    const entry = { key: "u@r2", revision: "r2", waiting: 0, inFlight: 0, oldestWaitMs: 0, instances: [], ...counts };
    now += 1;
    outcomes.hear({ router, seq: now, functions: [{ ...entry, ...(countedMs !== undefined && { countedMs }) }], suspects: [] }, now);
  };
  return { outcomes, hear };
}

test("invocations that a router counted before this pool manager led are no evidence, unless its count began later", () => {
  const { outcomes, hear } = heard();
  hear("before", { ended: 1000, failed: 100 }, 50_000);
  hear("former version", { ended: 1000, failed: 100 });
  expect(outcomes.of("u", "r2")).toEqual({ ended: 0, failed: 0 });
  hear("since", { ended: 1, failed: 1 }, 100);
  hear("before", { ended: 1002, failed: 101 }, 51_000);
  expect(outcomes.of("u", "r2")).toEqual({ ended: 3, failed: 2 });
});

test("a router that was silent for long is not counted twice, as long as the revision is served", () => {
  const { outcomes, hear } = heard();
  hear("a", { ended: 50, failed: 5 }, 500);
  outcomes.retain("u", new Set(["r1", "r2"]));
  hear("a", { ended: 51, failed: 5 }, 500_000);
  expect(outcomes.of("u", "r2")).toEqual({ ended: 51, failed: 5 });
});

test("outcomes are summed over routers, also over one whose count begins again", () => {
  const { outcomes, hear: hearOf } = heard();
  const hear = (router: string, counts: Counts) => hearOf(router, counts, 0);
  hear("a", { ended: 5, failed: 1 });
  hear("b", { ended: 2, failed: 0 });
  hear("a", { ended: 9, failed: 1 });
  hear("a", { ended: 3, failed: 2 });
  expect(outcomes.of("u", "r2")).toEqual({ ended: 14, failed: 3 });
  outcomes.retain("other", new Set());
  expect(outcomes.of("u", "r2").ended).toBe(14);
  outcomes.retain("u", new Set());
  expect(outcomes.of("u", "r2")).toEqual({ ended: 0, failed: 0 });
});
