import { createServer, type RequestListener } from "node:http";

/** `bare.ts PORT SOURCE`: node:http alone with a handler, which is given as the source of a module. */
const [, , port, source] = process.argv;
const module = (await import(`data:text/javascript,${encodeURIComponent(source ?? "")}`)) as { default: RequestListener };
createServer(module.default).listen(Number(port), "127.0.0.1");
