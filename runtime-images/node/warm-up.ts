import { connect } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { fetchHandle } from "./fetch.ts";
import { type Invoker, invokerOf } from "./invoker.ts";
import { REHEARSAL_CALL, REHEARSAL_MODULE } from "./rehearsal.ts";

/**
 * First uses are slow in a new process: the module loader, fetch's classes and the HTTP path compile
 * lazily, about 100 ms together. A spare worker pays that before it is prewarmed, with one request to
 * itself that is answered by this handler.
 */
const invoke: Invoker = invokerOf(fetchHandle({ fetch: greet }, { functionName: "", env: {} }));

/** Answers the worker's request to itself. */
export const rehearse: typeof invoke = (req, res) => invoke(req, res, REHEARSAL_CALL);

async function greet(request: Request): Promise<Response> {
  const { searchParams } = new URL(request.url);
  const body = await request.text();
  console.log(`${searchParams.get("name")} ${JSON.parse(body).name}`);
  return Response.json({ message: body });
}

/** Resolves when the rehearsal has been played through, or could not be. */
export async function warmUp(host: string, port: number): Promise<void> {
  await import(pathToFileURL(join(process.cwd(), "..", REHEARSAL_MODULE)).href);
  await new Promise<void>((resolve) => {
    const socket = connect(port, host, () => {
      socket.write('POST /?name=a HTTP/1.1\r\nhost: warm-up\r\ncontent-length: 12\r\nconnection: close\r\n\r\n{"name":"b"}');
    });
    socket.on("close", () => resolve()).on("error", () => resolve());
    socket.resume();
  });
}
