import type { RouterPeer } from "../../pool-manager/client/contract.ts";

/**
 * The live routers. One of them owns each function's slots, so that its invocations wait in one queue and no instance
 * idles while some wait elsewhere; the others pass theirs on, one hop. The instance's own cap is the guard while two
 * routers believe that they own the slots.
 */
export class SlotOwnership {
  readonly #self: string;
  #routers: readonly RouterPeer[] = [];
  /** The ids of listed routers that have said themselves that they leave: the pool manager may hear it later. */
  #leaving: ReadonlySet<string> = new Set();

  constructor(self: string) {
    this.#self = self;
  }

  /** Returns the routers that are no longer listed. */
  set(routers: readonly RouterPeer[]): RouterPeer[] {
    const listed = new Set(routers.map(({ id }) => id));
    const gone = this.#routers.filter(({ id }) => !listed.has(id));
    this.#routers = routers;
    this.#leaving = new Set([...this.#leaving].filter((id) => listed.has(id)));
    return gone;
  }

  /** A router leaves: it owns no slots from now on. Returns it; undefined: no other router has this id. */
  leaves(id: string): RouterPeer | undefined {
    const peer = this.others.find((router) => router.id === id);
    if (peer) this.#leaving = new Set(this.#leaving).add(id);
    return peer;
  }

  get others(): RouterPeer[] {
    return this.#routers.filter(({ id }) => id !== this.#self);
  }

  has(id: string): boolean {
    return this.#routers.some((router) => router.id === id);
  }

  /** The owner of the slots of this key; null: this router. */
  ownerOf(key: string): RouterPeer | null {
    if (!this.has(this.#self)) return null;
    const owner = highest(key, this.#routers, this.#leaving);
    return owner === null || owner.id === this.#self ? null : owner;
  }
}

/** Rendezvous hashing (highest random weight, Thaler and Ravishankar, 1998): a router that joins or leaves moves only its own share. */
function highest(key: string, routers: readonly RouterPeer[], without: ReadonlySet<string>): RouterPeer | null {
  let best: RouterPeer | null = null;
  let bestWeight = -1;
  for (const router of routers) {
    if (without.has(router.id)) continue;
    const weight = hash(`${key}/${router.id}`);
    if (weight > bestWeight || (weight === bestWeight && best !== null && router.id > best.id)) {
      best = router;
      bestWeight = weight;
    }
  }
  return best;
}

/** FNV-1a, 32 bits, and a final mix: ids that differ in one character differ in all bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
