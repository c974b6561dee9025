import type { LookupAddress } from "node:dns";
import { lookup } from "node:dns/promises";
import { isIP, type LookupFunction } from "node:net";

/** A name server that has not answered by then is passed over where the variable is there. */
const PATIENCE_MS = 250;
/** So long an answer that came too late counts for the next connection. */
const LATE_COUNTS_MS = 10_000;

type Resolve = (name: string) => Promise<LookupAddress[]>;

/**
 * Where a Service is, asked anew for each connection: its name's addresses, and where the name does not resolve what
 * Kubernetes says in the variable `NAME_SERVICE_HOST` of each container. The variable is of the container's start: an
 * address that the Service got later is known to the name alone. So that a name server that hangs holds nothing up,
 * one question is under way for a name at most.
 */
export class ServiceLookup {
  readonly #variables: Readonly<Record<string, string | undefined>>;
  readonly #resolve: Resolve;
  readonly #now: () => number;
  readonly #asking = new Map<string, Promise<LookupAddress[]>>();
  readonly #late = new Map<string, { addresses: LookupAddress[]; at: number }>();

  /** `now` in milliseconds. */
  constructor(
    variables: Readonly<Record<string, string | undefined>> = process.env,
    resolve: Resolve = (name) => lookup(name, { all: true }),
    now: () => number = () => performance.now(),
  ) {
    this.#variables = variables;
    this.#resolve = resolve;
    this.#now = now;
  }

  /** For `lookup` of a socket or a request: fails as dns.lookup does where neither name nor variable says anything. */
  readonly lookup: LookupFunction = (name, { all }, callback) => {
    this.addresses(name).then(
      (addresses) => {
        const [first] = addresses as [LookupAddress, ...LookupAddress[]];
        if (all) callback(null, addresses);
        else callback(null, first.address, first.family);
      },
      (error) => callback(error, all ? [] : ""),
    );
  };

  /** At least one. Rejects with the error of dns.lookup. */
  async addresses(name: string): Promise<LookupAddress[]> {
    const asked = this.#ask(name);
    const variable = this.#variableOf(name);
    if (!variable) return asked;
    const late = this.#late.get(name);
    this.#late.delete(name);
    const known = late && this.#now() - late.at < LATE_COUNTS_MS ? late.addresses : variable;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        resolve(known);
        asked.then(
          (addresses) => this.#late.set(name, { addresses, at: this.#now() }),
          () => {},
        );
      }, PATIENCE_MS);
      asked.then(resolve, () => resolve(variable)).finally(() => clearTimeout(timer));
    });
  }

  #ask(name: string): Promise<LookupAddress[]> {
    const asking = this.#asking.get(name) ?? this.#resolve(name).finally(() => this.#asking.delete(name));
    this.#asking.set(name, asking);
    return asking;
  }

  /** Of a Service of the own namespace: others have a dot in their names. */
  #variableOf(name: string): LookupAddress[] | null {
    if (name.includes(".")) return null;
    const address = this.#variables[`${name.toUpperCase().replaceAll("-", "_")}_SERVICE_HOST`] ?? "";
    const family = isIP(address);
    return family === 0 ? null : [{ address, family }];
  }
}
