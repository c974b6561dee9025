const PROTO = "x-forwarded-proto";
const HOST = "x-forwarded-host";
const PREFIX = "x-forwarded-prefix";

/** Whether a header is a sender's claim about its client's request. `x-forwarded-for` is not one: the list shows by itself who has added to it. */
export function isClaim(name: string): boolean {
  return (name.startsWith("x-forwarded-") && name !== "x-forwarded-for") || name === "forwarded" || name === "x-real-ip";
}

/**
 * Headers that tell a function its public URL, which it needs for redirects and for links to itself: the claims of a
 * trusted sender, completed by what this router sees. `prefix` is the part of the path that the function does not
 * receive; it is appended to a claimed prefix.
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
