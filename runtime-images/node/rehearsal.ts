import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import type { LoadedFrom } from "./loaded-from.ts";

/** Call id of the request that a spare worker sends to itself; its output is discarded. */
export const REHEARSAL_CALL = "rehearsal";

const MODULE = `export default {
  async fetch(request) {
    const { searchParams } = new URL(request.url);
    const body = await request.text();
    console.log(searchParams.get("name") + JSON.parse(body).name);
    return Response.json({ message: body });
  },
};
`;

/** Writes the function that a spare worker rehearses with into `dir`; returns the order to load it. */
export function rehearsalOrder(dir: string): LoadedFrom {
  const file = join(dir, "rehearsal.mjs");
  writeFileSync(file, MODULE);
  const settings = { entry: "", handler: null, signature: null, concurrency: 1, timeoutMs: 1000 };
  return { file, functionName: "rehearsal", revision: "", settings, env: {} };
}

/** Sends one request to the worker itself; resolves when it has been answered or has failed. */
export function requestItself(host: string, port: number): Promise<void> {
  return new Promise<void>((resolve) => {
    const socket = connect(port, host, () => {
      socket.write('POST /?name=a HTTP/1.1\r\nhost: rehearsal\r\ncontent-length: 12\r\nconnection: close\r\n\r\n{"name":"b"}');
    });
    socket.on("close", () => resolve()).on("error", () => resolve());
    socket.resume();
  });
}
