import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { type TestBerth, until } from "../helpers/berth.ts";
import { freePort } from "../helpers/free-port.ts";

const APPS = join(import.meta.dirname, "apps");

/** Deploys an app with the command, as its users do. */
export async function deploy(berth: TestBerth, file: string, name: string, options: readonly string[] = []): Promise<void> {
  const args = ["dist/berth.js", "--url", berth.berth.manageUrl, "deploy", name, "--from", resolve(APPS, file), ...options];
  await promisify(execFile)(process.execPath, args);
}

/** The same app as a server of its own, in the environment that functions have. */
export class Direct {
  readonly #child: ChildProcess;
  readonly port: number;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async start(file: string): Promise<Direct> {
    const tsconfig = join(APPS, dirname(file), "tsconfig.json");
    const env = { ...process.env, NODE_ENV: "production", ...(existsSync(tsconfig) && { TSX_TSCONFIG_PATH: tsconfig }) };
    const args = ["--import", "tsx", join(import.meta.dirname, "serve.ts"), join(APPS, file)];
    const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "ignore"] });
    const [line] = await Promise.race([
      once(createInterface(child.stdout as NodeJS.ReadableStream), "line"),
      once(child, "exit").then(([code]) => Promise.reject(new Error(`${file} alone ended with code ${code}`))),
    ]);
    return new Direct(child, Number(line));
  }

  /** A background function under Google's own server. */
  static async startEvent(file: string, target: string): Promise<Direct> {
    const port = await freePort();
    const framework = join(import.meta.dirname, "node_modules/@google-cloud/functions-framework/build/src/main.js");
    const args = [framework, `--source=${join(APPS, file)}`, `--target=${target}`, "--signature-type=event", `--port=${port}`];
    const child = spawn(process.execPath, args, { env: { ...process.env, NODE_ENV: "production" }, stdio: "ignore" });
    await until(
      () =>
        fetch(`http://127.0.0.1:${port}/`).then(
          () => true,
          () => child.exitCode !== null,
        ),
      `${target} alone has started`,
    );
    return new Direct(child, port);
  }

  close(): void {
    this.#child.kill("SIGKILL");
  }
}
