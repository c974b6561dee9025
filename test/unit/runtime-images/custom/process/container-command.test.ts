import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ContainerCommand } from "../../../../../runtime-images/custom/process/container-command.ts";
import { until } from "../../../../helpers/berth.ts";

const ENTRY = resolve("runtime-images/entry/entry-linux-amd64");
const DIGEST = `sha256:${"b".repeat(64)}`;

let dir: string;
let socket: string;
let lines: string[];
const containers: ChildProcess[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "berth-test-"));
  socket = join(dir, "command");
  lines = [];
});
afterEach(() => {
  for (const container of containers.splice(0)) container.kill("SIGKILL");
});

/** The entry program as it runs in a container, with variables of the image. */
function container(digest = DIGEST): ChildProcess {
  const env = { PATH: process.env.PATH, OF_IMAGE: "image", BOTH: "image", KUBERNETES_PORT: "1" };
  const child = spawn(ENTRY, ["--start", socket, digest], { env, stdio: "ignore" });
  containers.push(child);
  return child;
}

function start(words: string[], env: NodeJS.ProcessEnv = {}): Promise<ContainerCommand> {
  return ContainerCommand.start({ socket, image: `registry/api@${DIGEST}`, words, env, onLine: (stream, line) => void lines.push(`${stream} ${line}`) });
}

const shell = (text: string) => ["/bin/sh", "-c", text];

test("it gets the function's variables before those of the image, and none of Kubernetes; its output comes by line, with its end", async () => {
  container();
  const command = await start(shell('echo "$OF_IMAGE $BOTH $OWN [$KUBERNETES_PORT]"; echo wrong >&2; exit 7'), { BOTH: "function", OWN: "a b=c" });
  expect((await command.exited).split("\n").sort()).toEqual(["image function a b=c []", "the command exited with code 7", "wrong"]);
  expect(lines.sort()).toEqual(["err wrong", "out image function a b=c []"]);
  expect(command.hasEnded).toBe(true);
});

test("it may open its output again, as /dev/stdout", async () => {
  container();
  const command = await start(shell("echo again > /dev/stdout; exit 1"));
  expect(await command.exited).toBe("the command exited with code 1\nagain");
});

test.each([
  [["sh", "-c", "exit 0"], "the command ended with code 0: it has to stay in the foreground"],
  [["no-such-program"], "the command exited with code 127\ncommand: not found in the image, or its interpreter is not: no-such-program"],
  [["/no/such/file"], "the command exited with code 127\ncommand: not found in the image, or its interpreter is not: /no/such/file"],
  [shell("kill -KILL $$"), "the command was ended by signal 9 (out of memory?)"],
  [shell("echo 'bind: permission denied' >&2; exit 1"), /listen on \$PORT, not on a port below 1024$/],
  [shell("echo 'open x: read-only file system' >&2; exit 1"), /write below \/tmp, or into a VOLUME of the image$/],
])("%j ends, in words", async (words, how) => {
  container();
  const command = await start(words);
  const ended = await command.exited;
  if (how instanceof RegExp) expect(ended).toMatch(how);
  else expect(ended).toBe(how);
});

test("a file that is not executable says so", async () => {
  const file = join(dir, "file");
  writeFileSync(file, "text");
  chmodSync(file, 0o644);
  container();
  expect(await (await start([file])).exited).toContain("command: not executable by the user of the pods: ");
});

test("SIGTERM to the container leaves the command running; the worker's order ends it, and the container with it", async () => {
  const child = container();
  const command = await start(shell('trap "echo bye; exit 0" TERM; echo ready; while :; do sleep 0.05; done'));
  await until(async () => lines.includes("out ready"), "it runs");
  child.kill("SIGTERM");
  const gone = new Promise((done) => child.once("exit", done));
  command.terminate();
  expect(await command.exited).toContain("bye");
  await gone;
});

test("a command that ignores SIGTERM is killed 1.5 s later", { timeout: 20_000 }, async () => {
  container();
  const command = await start(shell('trap "" TERM; echo ready; while :; do sleep 0.05; done'));
  await until(async () => lines.includes("out ready"), "it runs");
  command.terminate();
  expect(await command.exited).toContain("ended by signal 9");
});

test("a container that waits for its worker ends at once, and one of another image is turned away", async () => {
  const early = container();
  await until(async () => early.pid !== undefined, "it is started");
  early.kill("SIGTERM");
  await new Promise((done) => early.once("exit", done));
  const other = container(`sha256:${"c".repeat(64)}`);
  const started = start(shell("exit 5"));
  await new Promise((done) => other.once("exit", done));
  container();
  expect(await (await started).exited).toBe("the command exited with code 5");
});
