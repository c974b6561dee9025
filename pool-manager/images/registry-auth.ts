import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

export interface Credentials {
  username: string;
  password: string;
}

/** Value of the Authorization header. */
export interface Authorization {
  header: string;
}

/**
 * Answers a registry's challenge: Basic, or a Bearer token fetched from the realm that it names (Distribution token
 * specification). Null if credentials are required and missing, or were rejected.
 */
export async function authorize(challenge: string, credentials: Credentials | null, timeoutMs: number): Promise<Authorization | null> {
  const basic = credentials && `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString("base64")}`;
  if (/^basic\b/i.test(challenge)) return basic ? { header: basic } : null;
  const params = new Map([...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name as string, value as string]));
  const realm = params.get("realm");
  if (!/^bearer\b/i.test(challenge) || !realm) return null;
  const url = new URL(realm);
  for (const name of ["service", "scope"]) if (params.has(name)) url.searchParams.set(name, params.get(name) as string);
  const res = await fetch(url, { headers: basic ? { authorization: basic } : {}, signal: AbortSignal.timeout(timeoutMs) });
  if (!res.ok) return null;
  const { token, access_token } = (await res.json()) as { token?: string; access_token?: string };
  const value = token ?? access_token;
  return value ? { header: `Bearer ${value}` } : null;
}

/**
 * Credentials from the files `username` and `password` of the directory BERTH_REGISTRY_CREDENTIALS (a mounted Secret),
 * else from BERTH_REGISTRY_USERNAME and _PASSWORD, else from docker's configuration; null if there are none for this
 * registry. Each call reads the files. Throws if docker's configuration is not JSON.
 */
export function credentialsFor(host: string, env: NodeJS.ProcessEnv = process.env): Credentials | null {
  const { BERTH_REGISTRY_CREDENTIALS: dir, BERTH_REGISTRY_USERNAME: username, BERTH_REGISTRY_PASSWORD: password } = env;
  if (dir) return { username: readFileSync(join(dir, "username"), "utf8").trim(), password: readFileSync(join(dir, "password"), "utf8").trim() };
  if (username && password) return { username, password };
  const file = join(env.DOCKER_CONFIG ?? join(homedir(), ".docker"), "config.json");
  if (!existsSync(file)) return null;
  const { auths } = parsed(file);
  const auth = auths?.[host]?.auth;
  if (!auth) return null;
  const [name = "", ...rest] = Buffer.from(auth, "base64").toString("utf8").split(":");
  return { username: name, password: rest.join(":") };
}

function parsed(file: string): { auths?: Record<string, { auth?: string }> } {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new Error(`${file} is not a docker configuration: ${(error as Error).message}`);
  }
}
