import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ManageClient } from "../../../cli/manage-client.ts";
import { packLayer } from "../../../pool-manager/images/layer.ts";
import { until } from "../../helpers/berth.ts";
import { BERTH } from "../../helpers/routers.ts";

const DESCRIPTORS = 256;
const CLIENTS = 500;
/** Three eighths of them. */
const MOST = 96;

test("a crowd of clients leaves the manage API and instances their descriptors, and is told of", async () => {
  const args = ["up", "--state-dir", mkdtempSync(join(tmpdir(), "berth-test-")), "--router-port", "0", "--api-port", "0", "--pool-size", "1"];
  const child = spawn("sh", ["-c", `ulimit -n ${DESCRIPTORS}; exec "$0" "$@"`, process.execPath, BERTH, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const exit = once(child, "exit");
  const sockets: Socket[] = [];
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    child.kill("SIGTERM");
    await exit;
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (said += text));
  const ready = /^berth ready: invoke (\S+) manage (\S+)$/m;
  await until(() => ready.test(said), "berth is ready", 20_000);
  const [, invokeUrl = "", manageUrl = ""] = ready.exec(said) ?? [];

  let answered = 0;
  let refused = 0;
  const { hostname, port } = new URL(invokeUrl);
  for (let i = 0; i < CLIENTS; i++) {
    const socket = connect(Number(port), hostname);
    sockets.push(socket);
    socket.on("error", () => {}).once("close", () => (refused += 1));
    socket.once("data", () => (answered += 1)).write("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n");
  }
  await until(() => answered + refused >= CLIENTS, "everybody is answered or refused");
  expect([answered, refused]).toEqual([MOST, CLIENTS - MOST]);
  expect(said).toMatch(/more clients connect than this process may open files for/);

  const api = new ManageClient(manageUrl, null);
  const code = await api.upload(await packLayer([{ path: "index.mjs", data: Buffer.from("export default { fetch: () => new Response('here') };") }]));
  await api.call("PUT", "/v1/functions/f", { code });
  for (const socket of sockets) socket.destroy();
  await until(
    async () =>
      (await fetch(`${invokeUrl}/function/f`).then(
        (res) => res.text(),
        () => "",
      )) === "here",
    "the function is served",
  );
});
