import { httpUrl } from "../../pool-manager/client/address.ts";
import type { RouterPeer } from "../../pool-manager/client/contract.ts";

/** Where a router receives the notice of another one that leaves, which names itself in `HOP_HEADER`. */
export const LEAVING_PATH = "/routers/leaving";
/** How long a peer may take to answer. */
const NOTICE_MS = 1000;

/**
 * Tells the peers that this router leaves. They hear it from the pool manager too, but it may be away just then, and a
 * router that closes a connection while a peer writes on it loses the invocation. Resolves with what failed, by router,
 * within `NOTICE_MS`; never rejects. `introduction`: the headers by which this router identifies itself.
 */
export async function tellPeers(peers: readonly RouterPeer[], introduction: readonly string[]): Promise<string[]> {
  const headers = new Headers();
  for (let i = 0; i < introduction.length; i += 2) headers.set(introduction[i] as string, introduction[i + 1] as string);
  const failures = await Promise.all(
    peers.map(async ({ id, host, port }) => {
      const failure = await tell(`${httpUrl(host, port)}${LEAVING_PATH}`, headers);
      return failure === null ? [] : [`${id}: ${failure}`];
    }),
  );
  return failures.flat();
}

async function tell(url: string, headers: Headers): Promise<string | null> {
  try {
    const { ok, status } = await fetch(url, { method: "POST", headers, redirect: "error", signal: AbortSignal.timeout(NOTICE_MS) });
    return ok ? null : `status ${status}`;
  } catch (error) {
    const { cause, message } = error as Error & { cause?: Error };
    return cause?.message ?? message;
  }
}
