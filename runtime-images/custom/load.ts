import { readdirSync, readFileSync } from "node:fs";
import { type Call, currentCall } from "../node/invocation/call.ts";
import { type Invoker, invokerOf } from "../node/invocation/invoker.ts";
import type { Listener, Loaded, LoadRequest } from "../node/worker/language.ts";
import { linksTo } from "../node/worker/working-directory.ts";
import { type CommandImage, SOCKET_VARIABLE } from "../protocol/command-image.ts";
import { ENTRY_NAME } from "../protocol/layer.ts";
import { lambdaEnvironment, ownEnvironment } from "./environment.ts";
import { relay } from "./http/relay.ts";
import { relayUpgrade } from "./http/upgrade.ts";
import { Command } from "./process/command.ts";
import { ContainerCommand } from "./process/container-command.ts";
import { listening } from "./process/listening.ts";
import { reservePort } from "./process/port.ts";
import type { RunningCommand } from "./process/running.ts";
import { BOOTSTRAP, wordsOf } from "./program.ts";
import { RuntimeApi } from "./runtime-api/runtime-api.ts";

/** Where images of Lambda keep the function. */
const TASK_ROOT = "/var/task";

/** Starts the function's command. Rejects with text: how it ended, and its last lines. */
export async function loadCommand(request: LoadRequest, listener: Listener): Promise<Loaded> {
  const { settings } = request;
  const running = new Running(settings.concurrency === 1);
  const program = settings.image === undefined ? programOfCode(request, running) : programOfImage(request, running, listener);
  const signature = settings.signature ?? (settings.command || settings.image ? "server" : "lambda");
  const { command, loaded } = signature === "server" ? await serveHttp(request, program, listener) : await serveEvents(request, program, listener);
  process.on("SIGTERM", () => command.terminate());
  void command.exited.then(listener.lost);
  return { ...loaded, invoke: running.following(loaded.invoke) };
}

/** The program that is started, and where. */
interface Program {
  /** The command if the settings name none. */
  args: readonly string[];
  dir: string;
  /** The port that it gets; null: any. */
  port: number | null;
  start(words: readonly string[], env: Record<string, string>): Promise<RunningCommand & { missesPort?: boolean }>;
}

function programOfCode({ file, settings }: LoadRequest, { onLine }: Running): Program {
  const root = file.slice(0, -(settings.entry.length + 1));
  const dir = linksTo(
    root,
    readdirSync(root).filter((name) => name !== ENTRY_NAME),
  );
  const start: Program["start"] = async (words, env) => Command.start({ words, dir, env: { ...ownEnvironment(), ...env }, onLine });
  return { args: [`./${BOOTSTRAP}`], dir, port: null, start };
}

/** Rejects the load on instances without a container for images: those of an embedded berth, and pods of an older one. */
function programOfImage({ file }: LoadRequest, { onLine }: Running, { waitsFor }: Listener): Program {
  const socket = process.env[SOCKET_VARIABLE];
  if (socket === undefined) throw "this instance has no container for images: it is not a pod, or one of an older version";
  const { image, args, port } = JSON.parse(readFileSync(file, "utf8")) as CommandImage;
  waitsFor(`the container of ${image} has not started; berth get shows what its pod waits for`);
  return { args, dir: TASK_ROOT, port, start: (words, env) => ContainerCommand.start({ socket, image, words, env, onLine }) };
}

interface Served {
  command: RunningCommand;
  loaded: Loaded;
}

/** A command that listens on `$PORT`. */
async function serveHttp({ settings, env }: LoadRequest, program: Program, { waitsFor }: Listener): Promise<Served> {
  for (let isFirst = true; ; isFirst = false) {
    const port = program.port ?? (await reservePort());
    const words = wordsOf(settings.command ?? program.args, String(port));
    const command = await program.start(words, { ...env, PORT: String(port) });
    try {
      const upstream = { host: await listening(command, { port, health: settings.health ?? null }, waitsFor), port, command };
      return { command, loaded: { invoke: invokerOf(relay(upstream)), upgrade: relayUpgrade(upstream) } };
    } catch (error) {
      command.kill();
      // Another program has taken the port meanwhile. A command with a port of its own finds it taken a second time.
      if (!isFirst || !command.missesPort) throw error;
    }
  }
}

/** A command that speaks the Lambda Runtime API. */
async function serveEvents(request: LoadRequest, program: Program, { waitsFor }: Listener): Promise<Served> {
  const { settings, functionName, env } = request;
  const api = new RuntimeApi({ functionName, timeoutMs: settings.timeoutMs, format: settings.signature === "lambda-1.0" ? "1.0" : "2.0" });
  const address = await api.listen();
  const words = wordsOf(settings.command ?? program.args, "");
  const command = await program.start(words, { ...lambdaEnvironment(request, program.dir), ...env, AWS_LAMBDA_RUNTIME_API: address });
  waitsFor("the bootstrap does not ask for an invocation (GET /2018-06-01/runtime/invocation/next)");
  const ended = command.exited.then((how) => Promise.reject(how));
  try {
    await Promise.race([api.ready, ended]);
  } catch (error) {
    command.kill();
    throw error;
  }
  void command.exited.then((how) => api.lost(how));
  return { command, loaded: { invoke: invokerOf(api.handle), upgrade: null } };
}

/** Writes the command's output to the function's log. If one invocation runs at a time, a line belongs to the latest. */
class Running {
  readonly #isSingle: boolean;
  #latest: Call | null = null;

  constructor(isSingle: boolean) {
    this.#isSingle = isSingle;
  }

  following(invoke: Invoker): Invoker {
    if (!this.#isSingle) return invoke;
    return (req, call) => {
      this.#latest = call;
      return invoke(req, call);
    };
  }

  readonly onLine = (stream: "out" | "err", line: string): void => {
    const write = () => process[stream === "out" ? "stdout" : "stderr"].write(`${line}\n`);
    if (this.#latest) currentCall.run(this.#latest, write);
    else currentCall.exit(write);
  };
}
