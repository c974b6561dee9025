import type { IncomingMessage } from "node:http";

const NOTHING = Buffer.alloc(0);

/** Reads the whole body. It uses events, since a stream's iterator takes several times as long, and returns at once if no body is announced. */
export function readBody(req: IncomingMessage): Promise<Buffer> | Buffer {
  const { "content-length": length = "0", "transfer-encoding": coding } = req.headers;
  if (length === "0" && coding === undefined) return NOTHING;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => resolve(Buffer.concat(chunks)));
    req.on("error", reject);
    req.on("close", () => {
      if (!req.readableEnded) reject(new Error("the request ended before its body"));
    });
  });
}
