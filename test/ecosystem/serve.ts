/** `tsx serve.ts MODULE`: the app as it runs without Berth; prints its port. */
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { pathToFileURL } from "node:url";
import { getRequestListener } from "@hono/node-server";

const module = await import(pathToFileURL(process.argv[2] ?? "").href);
const app = module.default;
const listener: RequestListener = typeof app.fetch === "function" ? getRequestListener(app.fetch) : app;
const server = createServer({ keepAliveTimeout: 0 }, listener);
if (module.upgrade) server.on("upgrade", module.upgrade);
server.listen(0, "127.0.0.1", () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
