const PROTO = "x-forwarded-proto";
const HOST = "x-forwarded-host";
const PREFIX = "x-forwarded-prefix";

/** What a sender says of its client's request; of `x-forwarded-for`, which is a list, the router believes a part. */
export function isClaim(name: string): boolean {
  return (name.startsWith("x-forwarded-") && name !== "x-forwarded-for") || name === "forwarded" || name === "x-real-ip";
}

/**
 * Headers that tell a function its public URL, without which it could make no redirect and no link to itself: what
 * trusted senders claim, and for the rest what this router sees. `prefix` is the part of the path that the function
 * does not see; it follows a claimed one.
 */
export function publicUrlHeaders(claims: readonly string[], host: string, prefix: string): string[] {
  const headers: string[] = [];
  const claimed = new Set<string>();
  let outer = "";
  for (let i = 0; i < claims.length; i += 2) {
    const [name, value] = [claims[i] as string, claims[i + 1] as string];
    const lower = name.toLowerCase();
    if (value === "") continue;
    if (lower === PREFIX) outer ||= value.replace(/\/+$/, "");
    else headers.push(name, value);
    claimed.add(lower);
  }
  if (!claimed.has(PROTO)) headers.push(PROTO, "http");
  if (!claimed.has(HOST) && host !== "") headers.push(HOST, host);
  if (outer + prefix !== "") headers.push(PREFIX, outer + prefix);
  return headers;
}
