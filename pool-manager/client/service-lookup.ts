import type { LookupAddress } from "node:dns";
import { lookup } from "node:dns/promises";
import { isIP, type LookupFunction } from "node:net";

/** Timeout of the name server, if the variable is set. */
const PATIENCE_MS = 250;
/** How long a late answer may be used for the next connection. */
const LATE_COUNTS_MS = 10_000;

type Resolve = (name: string) => Promise<LookupAddress[]>;

/**
 * Resolves a Service for each connection: by its name, or, if that does not resolve, by the variable `NAME_SERVICE_HOST`
 * that Kubernetes sets in each container. The variable dates from the container's start; only the name has a later
 * address of the Service. At most one lookup per name is in flight, so that a name server that hangs blocks nothing else.
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

  /** The `lookup` option of a socket or request. Fails as dns.lookup does if neither the name nor the variable resolves. */
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

  /** Resolves with at least one address. Rejects with the error of dns.lookup. */
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

  /** The variable of a Service in the own namespace; names of others contain a dot. */
  #variableOf(name: string): LookupAddress[] | null {
    if (name.includes(".")) return null;
    const address = this.#variables[`${name.toUpperCase().replaceAll("-", "_")}_SERVICE_HOST`] ?? "";
    const family = isIP(address);
    return family === 0 ? null : [{ address, family }];
  }
}
