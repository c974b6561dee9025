import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { invokerOf } from "../node/invocation/invoker.ts";
import type { Loaded } from "../node/worker/language.ts";
import { relay } from "./http/relay.ts";

/** Relays one request in a spare worker: a server of its own stands for a command. */
export function rehearseRelay(): Promise<Loaded> {
  return new Promise((resolve) => {
    const server = createServer((req, res) => {
      req.on("end", () => {
        res.end("rehearsed");
        server.close();
      });
      req.resume();
    });
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      resolve({ invoke: invokerOf(relay({ host: "127.0.0.1", port, command: undefined })), upgrade: null });
    });
    server.unref();
  });
}
