import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { RegistryError } from "./registry.ts";
import type { RegistryLogin } from "./registry-auth.ts";

/** How long a credential helper may take: it may ask a cloud for a token. */
const HELPER_MS = 30_000;
const MAX_QUOTED = 300;
/** The key of Docker Hub in docker's configuration. */
const DOCKER_HUB_KEY = "https://index.docker.io/v1/";
/** The user name that a helper tells beside an identity token. */
const TOKEN_USER = "<token>";
/** The message of helpers that have nothing for a registry (github.com/docker/docker-credential-helpers). */
const NOT_FOUND = "credentials not found";

interface AuthEntry {
  auth?: string;
  username?: string;
  password?: string;
  identitytoken?: string;
}

interface DockerConfig {
  auths?: Record<string, AuthEntry> | null;
  /** The helper of everything else, such as `desktop` or `osxkeychain`. */
  credsStore?: string;
  /** Helpers by registry, such as `ecr-login` or `gcloud`. */
  credHelpers?: Record<string, string> | null;
}

/**
 * The login from the files `username` and `password` of the directory BERTH_REGISTRY_CREDENTIALS (a mounted Secret), else
 * from BERTH_REGISTRY_USERNAME and _PASSWORD, else of `docker login`; null if there is none for this registry. Each call
 * reads the files anew, since credentials are rotated. Rejects with a `RegistryError` if docker's cannot be read.
 */
export async function registryLogin(host: string, env: NodeJS.ProcessEnv = process.env): Promise<RegistryLogin | null> {
  const { BERTH_REGISTRY_CREDENTIALS: dir, BERTH_REGISTRY_USERNAME: username, BERTH_REGISTRY_PASSWORD: password } = env;
  if (dir) return { username: readFileSync(join(dir, "username"), "utf8").trim(), password: readFileSync(join(dir, "password"), "utf8").trim() };
  if (username && password) return { username, password };
  return dockerLogin(host, env);
}

/** The login that `docker login` has left for a registry, in its configuration file or with a credential helper; null: none. */
export async function dockerLogin(host: string, env: NodeJS.ProcessEnv = process.env): Promise<RegistryLogin | null> {
  const file = join(env.DOCKER_CONFIG ?? join(homedir(), ".docker"), "config.json");
  if (!existsSync(file)) return null;
  const { auths, credsStore, credHelpers } = parsed(file);
  const keys = keysOf(host);
  const key = keys.find((one) => auths?.[one] !== undefined);
  const helper = keys.map((one) => credHelpers?.[one]).find(Boolean) ?? credsStore;
  const told = helper ? await ask(helper, key ?? (keys[0] as string), env) : null;
  return told ?? loginOf(key === undefined ? {} : (auths?.[key] ?? {}));
}

/** The names under which clients have stored a registry's entry, the present one first. */
function keysOf(host: string): string[] {
  const isHub = ["docker.io", "index.docker.io", "registry-1.docker.io"].includes(host);
  return [
    ...(isHub ? [DOCKER_HUB_KEY, "index.docker.io", "docker.io"] : []),
    host,
    `https://${host}`,
    `https://${host}/`,
    `https://${host}/v1/`,
    `https://${host}/v2/`,
  ];
}

function loginOf({ auth, username, password, identitytoken }: AuthEntry): RegistryLogin | null {
  if (identitytoken) return { identityToken: identitytoken };
  if (username && password) return { username, password };
  if (!auth) return null;
  const [name = "", ...rest] = Buffer.from(auth, "base64").toString("utf8").split(":");
  return { username: name, password: rest.join(":") };
}

/** Runs `docker-credential-HELPER get`, which reads the registry from standard input. */
async function ask(helper: string, server: string, env: NodeJS.ProcessEnv): Promise<RegistryLogin | null> {
  const program = `docker-credential-${helper}`;
  const fails = (why: string) =>
    new RegistryError(401, `${program}, which docker's configuration names, gives no credentials for ${server}: ${why.slice(0, MAX_QUOTED)}`);
  const output = await new Promise<string | null>((resolve, reject) => {
    const child = execFile(program, ["get"], { env: { ...process.env, ...env }, timeout: HELPER_MS, killSignal: "SIGKILL" }, (error, stdout, stderr) => {
      const said = `${stdout}${stderr}`.trim();
      if (!error) resolve(stdout);
      else if (said.includes(NOT_FOUND)) resolve(null);
      else reject(fails(error.killed ? `no answer within ${HELPER_MS / 1000} s` : said || error.message));
    });
    // A helper that ends without reading is reported by its exit.
    child.stdin?.on("error", () => {}).end(server);
  });
  if (output === null) return null;
  try {
    const { Username: username, Secret: secret } = JSON.parse(output) as { Username: string; Secret: string };
    return username === TOKEN_USER ? { identityToken: secret } : { username, password: secret };
  } catch {
    throw fails("its answer is not JSON");
  }
}

function parsed(file: string): DockerConfig {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new RegistryError(401, `${file} is not a docker configuration: ${(error as Error).message}`);
  }
}
