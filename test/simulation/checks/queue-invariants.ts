import type { FunctionDemand } from "../../../pool-manager/client/contract.ts";
import type { Limiter } from "../../../router/limiter/limiter.ts";
import type { SimRouter } from "../router.ts";
import type { VirtualTime } from "../time.ts";

/** No invocation may wait this long while an instance is idle. */
const IDLE_WAIT_MS = 50;

const isListed = (limiter: Limiter, uid: string) => limiter.function.endpoints.some(({ instanceUid }) => instanceUid === uid);

/** The simulated functions' queueTimeout, loadTimeout with the second of grace that a load has, and timeout; and a second. */
const LONGEST_MS = 1000 + 400 + 1000 + 700 + 1000;

/** A step late is not too late. */
const QUEUE_SLACK_MS = 600;

/** I4, I7 and I14 of a router's slots and queues. */
export class QueueInvariants {
  readonly #time: VirtualTime;
  readonly #fail: (message: string) => never;
  readonly #waitingSince = new WeakMap<Limiter, number>();

  constructor(time: VirtualTime, fail: (message: string) => never) {
    this.#time = time;
    this.#fail = fail;
  }

  check(router: SimRouter): void {
    this.#slots(router);
    this.#ends(router);
  }

  /** I7. The limiters of a function count as in flight exactly the invocations that its router has sent and not heard the end of. */
  #slots(router: SimRouter): void {
    const taken = new Map<string, number>();
    const depths = new Map<string, number>();
    for (const limiter of router.limiters()) {
      const demand = limiter.demand();
      const { uid, name, queueDepth, queueTimeoutMs } = limiter.function;
      const { inFlight, oldestWaitMs, instances } = demand;
      // An instance that changes its revision takes what is in flight along to another limiter of the function.
      taken.set(uid, (taken.get(uid) ?? 0) + inFlight);
      const ofInstances = instances.reduce((sum, instance) => sum + instance.inFlight, 0);
      if (inFlight !== ofInstances) this.#fail(`7: slots that are taken in all, taken of instances: ${inFlight}, ${ofInstances}`);
      if (oldestWaitMs > queueTimeoutMs + QUEUE_SLACK_MS) this.#fail(`14: an invocation waits for ${oldestWaitMs} ms, queueTimeout is ${queueTimeoutMs} ms`);
      const [plain = name] = name.split("@");
      depths.set(plain, (depths.get(plain) ?? 0) + queueDepth);
      this.#waits(limiter, demand);
    }
    const open = router.transport.open();
    for (const [uid, count] of taken)
      if (count !== (open.get(uid) ?? 0)) this.#fail(`7: of ${uid} ${open.get(uid) ?? 0} requests are open, and ${count} slots taken`);
    this.#queues(router, depths);
  }

  /** I14. An invocation that an instance refused returns to the queue whatever its depth: it had been admitted. */
  #queues(router: SimRouter, depths: ReadonlyMap<string, number>): void {
    const waiting = new Map<string, number>();
    for (const exchange of router.invocations) if (router.waits(exchange)) waiting.set(exchange.name, (waiting.get(exchange.name) ?? 0) + 1);
    for (const [name, count] of waiting) if (count > (depths.get(name) ?? 0)) this.#fail(`14: ${count} wait in queues of ${depths.get(name)}`);
  }

  /** I4. Nobody waits beside an idle instance. */
  #waits(limiter: Limiter, { waiting, instances }: FunctionDemand): void {
    if (waiting === 0 || !instances.some(({ uid, inFlight }) => inFlight === 0 && isListed(limiter, uid) && limiter.isPickable(uid))) {
      this.#waitingSince.delete(limiter);
      return;
    }
    const now = this.#time.now();
    const since = this.#waitingSince.get(limiter) ?? now;
    this.#waitingSince.set(limiter, since);
    if (now - since > IDLE_WAIT_MS) this.#fail(`4: invocations of ${limiter.function.key} wait beside an idle instance for ${now - since} ms`);
  }

  /** I14. Everybody's wait ends. */
  #ends(router: SimRouter): void {
    for (const exchange of router.invocations) {
      const age = this.#time.now() - exchange.arrivedAt;
      if (age > LONGEST_MS) this.#fail(`14: ${exchange.id} has not ended after ${age} ms`);
    }
  }
}
