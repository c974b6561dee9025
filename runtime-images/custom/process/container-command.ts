import { constants, openSync, rmSync } from "node:fs";
import { createServer, type Server, Socket } from "node:net";
import { eachLine } from "../../protocol/lines.ts";
import { listeningSockets, socketsOf } from "./listening-sockets.ts";
import { type OnLine, OutputLines } from "./output-lines.ts";
import type { RunningCommand } from "./running.ts";

/** How long the rest of the output of a command that has ended is awaited. */
const REST_MS = 100;
/** How long it may go on after SIGTERM; its worker waits two seconds. */
const KILL_MS = 1500;
const OOM_HINT = " (out of memory?)";
/** The messages of programs that need more than pods give, each with a fix. */
const HINTS: readonly (readonly [RegExp, string])[] = [
  [/read-?only file system|EROFS/i, "its root is read-only: write below /tmp, or into a VOLUME of the image"],
  [
    /permission denied|operation not permitted|EACCES|EPERM/i,
    "it runs as user 65532 without privileges, whatever USER the image names: give its files to everybody, and listen on $PORT, not on a port below 1024",
  ],
];

export interface ContainerOptions {
  /** Path of the socket at which the container's entry program calls. */
  socket: string;
  /** `registry/name@sha256:…`; a container of another image is turned away. */
  image: string;
  words: readonly string[];
  env: NodeJS.ProcessEnv;
  onLine: OnLine;
}

/**
 * The program of an image, in the code container of this pod: its entry program calls on a socket of the shared volume, is
 * told what to start, and tells how it has ended (`runtime-images/entry/command.h`).
 */
export class ContainerCommand implements RunningCommand {
  readonly #connection: Socket;
  readonly #lines: OutputLines;
  #ended = false;
  readonly exited: Promise<string>;

  /** Resolves once the container has called; the caller bounds the wait. */
  static async start(options: ContainerOptions): Promise<ContainerCommand> {
    const connection = await called(options.socket, options.image.slice(options.image.indexOf("@") + 1));
    return new ContainerCommand(connection, options);
  }

  private constructor(connection: Socket, { socket, words, env, onLine }: ContainerOptions) {
    this.#connection = connection;
    this.#lines = new OutputLines(onLine);
    for (const stream of ["out", "err"] as const) this.#lines.read(stream, pipe(`${socket}.${stream}`));
    this.exited = new Promise((resolve) => {
      const end = (how: string) => {
        if (this.#ended) return;
        this.#ended = true;
        setTimeout(() => resolve([how, ...this.#lines.latest, ...hintsFor(this.#lines.latest)].join("\n")), REST_MS).unref();
      };
      eachLine(connection, (line) => end(endOf(line)));
      connection.on("error", () => {}).on("close", () => end("the container of the image has ended"));
    });
    connection.write(startMessage(words, env));
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  /** Its container shares the network of this one, and its user, but not its processes. */
  addresses(): string[] {
    const here = socketsOf(() => true);
    return listeningSockets().flatMap(({ address, uid, inode }) => (uid === process.getuid?.() && !here.has(inode) ? [address] : []));
  }

  terminate(): void {
    this.#connection.write("t");
    setTimeout(() => this.kill(), KILL_MS).unref();
  }

  kill(): void {
    if (!this.#connection.destroyed) this.#connection.write("k");
  }
}

/** The connection of the container that says it has this image. */
function called(path: string, digest: string): Promise<Socket> {
  rmSync(path, { force: true });
  return new Promise((resolve, reject) => {
    const server: Server = createServer((connection) => {
      let said = "";
      const read = (chunk: Buffer) => {
        said += chunk.toString("latin1");
        if (!said.includes("\n")) return said.length > digest.length ? void connection.destroy() : undefined;
        connection.off("data", read);
        if (said !== `${digest}\n`) return void connection.destroy();
        server.close();
        resolve(connection);
      };
      connection.on("data", read).on("error", () => {});
    });
    server.on("error", reject);
    server.listen(path);
  });
}

/** The reading end of a named pipe whose other end the container holds. */
function pipe(path: string): Socket {
  const socket = new Socket({ fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK), readable: true, writable: false });
  socket.on("error", () => {});
  return socket;
}

/** The length of the rest, the number of arguments, the arguments and the variables, each with a zero at its end. */
function startMessage(words: readonly string[], env: NodeJS.ProcessEnv): Buffer {
  const variables = Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
  const texts = Buffer.from([...words, ...variables].map((text) => `${text}\0`).join(""));
  const head = Buffer.alloc(8);
  head.writeUInt32LE(texts.length, 0);
  head.writeUInt32LE(words.length, 4);
  return Buffer.concat([head, texts]);
}

function endOf(line: string): string {
  const [how = "", value = ""] = line.split(" ");
  if (how === "signal") return `the command was ended by signal ${value}${value === "9" ? OOM_HINT : ""}`;
  if (value === "0") return "the command ended with code 0: it has to stay in the foreground";
  return `the command exited with code ${value}`;
}

function hintsFor(lines: readonly string[]): string[] {
  const text = lines.join("\n");
  return HINTS.flatMap(([sign, hint]) => (sign.test(text) ? [hint] : []));
}
