import type { Mutant } from "./mutant.ts";

/** Guards of an instance and its workers. */
export const INSTANCE_MUTANTS: Mutant[] = [
  {
    name: "an instance takes an order of any epoch",
    file: "runtime-images/protocol/instance.ts",
    find: 'if (order.epoch !== this.#epoch) return "epoch";',
    replace: "",
    odds: { "call duplicated": 0.1 },
  },
  {
    name: "an instance takes an order of an earlier boot",
    file: "runtime-images/protocol/instance.ts",
    find: 'if (order.bootId !== this.bootId) return "boot";',
    replace: "",
    odds: { "rogue order": 1, "order of an older boot": 1 },
  },
  {
    name: "an instance takes a second function",
    file: "runtime-images/protocol/instance.ts",
    find: 'return order.functionUid === this.#functionUid ? null : "function";',
    replace: "return null;",
  },
  {
    name: "an accepted order does not raise the epoch",
    file: "runtime-images/protocol/instance.ts",
    find: "this.#epoch += 1;",
    replace: "",
  },
  {
    name: "code that does not load leaves the instance as it is",
    file: "runtime-images/protocol/instance.ts",
    find: 'previous === undefined ? "failed" : "warm"',
    replace: 'previous === undefined ? this.#state : "warm"',
    odds: { "code throws": 0.4 },
  },
  {
    name: "a worker does not look at the function of a request",
    file: "runtime-images/protocol/admission.ts",
    find: "functionUid === this.#functionUid && revision === this.#revision",
    replace: "revision === this.#revision",
  },
  {
    name: "a worker does not look at the revision of a request",
    file: "runtime-images/protocol/admission.ts",
    find: "functionUid === this.#functionUid && revision === this.#revision",
    replace: "functionUid === this.#functionUid",
    odds: { "invocation misrouted": 0.6 },
  },
  {
    name: "a worker runs one more than its concurrency",
    file: "runtime-images/protocol/admission.ts",
    find: "if (this.#running >= this.#concurrency)",
    replace: "if (this.#running > this.#concurrency)",
    odds: { "invocation misrouted": 0.3 },
  },
  {
    name: "a finished invocation does not give its place back",
    file: "runtime-images/protocol/admission.ts",
    find: "this.#running -= 1;",
    replace: "",
  },
];
