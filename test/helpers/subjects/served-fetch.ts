import { afterEach } from "vitest";
import { type FetchContext, fetchHandle } from "../../../runtime-images/node/signatures/fetch.ts";
import { Served } from "../signature.ts";

/** The global Response, before the adapter replaces it with a class of its own. */
export const NativeResponse = globalThis.Response;

/** Resources that end with the present test. */
export const closing: (() => void)[] = [];

/** Ends after each test what it has served. */
export function eachClosesServed(): void {
  afterEach(() => {
    for (const close of closing.splice(0)) close();
  });
}

/** A `fetch` function behind a server, until the test ends. */
export async function serve(fetch: (request: Request, env: Record<string, string>, ctx: FetchContext) => unknown): Promise<Served> {
  const served = await Served.start(fetchHandle({ fetch }, { functionName: "f", env: { A: "1" } }));
  closing.push(() => served.close());
  return served;
}
