/** How a user identifies itself to a registry. An identity token is exchanged for access tokens. */
export type RegistryLogin = { username: string; password: string } | { identityToken: string };

/** Value of the Authorization header. */
export interface Authorization {
  header: string;
}

/**
 * Answers a registry's challenge: Basic, or a Bearer token fetched from the realm that it names (Distribution token
 * specification, and its OAuth 2 form for identity tokens). Null if a login is required and missing, or was rejected.
 */
export async function authorize(challenge: string, login: RegistryLogin | null, timeoutMs: number): Promise<Authorization | null> {
  const basic = login && "username" in login ? `Basic ${Buffer.from(`${login.username}:${login.password}`).toString("base64")}` : null;
  if (/^basic\b/i.test(challenge)) return basic ? { header: basic } : null;
  const params = new Map([...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name as string, value as string]));
  const realm = params.get("realm");
  if (!/^bearer\b/i.test(challenge) || !realm) return null;
  const asked = new URLSearchParams();
  for (const name of ["service", "scope"]) if (params.has(name)) asked.set(name, params.get(name) as string);
  const signal = AbortSignal.timeout(timeoutMs);
  const res = login && "identityToken" in login ? await exchange(realm, asked, login.identityToken, signal) : await fetchToken(realm, asked, basic, signal);
  if (!res.ok) return null;
  const { token, access_token } = (await res.json()) as { token?: string; access_token?: string };
  const value = token ?? access_token;
  return value ? { header: `Bearer ${value}` } : null;
}

function fetchToken(realm: string, asked: URLSearchParams, basic: string | null, signal: AbortSignal): Promise<Response> {
  const url = new URL(realm);
  for (const [name, value] of asked) url.searchParams.set(name, value);
  return fetch(url, { headers: basic ? { authorization: basic } : {}, signal });
}

function exchange(realm: string, asked: URLSearchParams, identityToken: string, signal: AbortSignal): Promise<Response> {
  const form = new URLSearchParams({ grant_type: "refresh_token", client_id: "berth", refresh_token: identityToken });
  for (const [name, value] of asked) form.set(name, value);
  return fetch(realm, { method: "POST", body: form, signal });
}
