import { createServer, type RequestListener } from "node:http";

/** `bare.ts PORT SOURCE`: what node:http alone takes to run a handler, given as the source of a module. */
const [, , port, source] = process.argv;
const module = (await import(`data:text/javascript,${encodeURIComponent(source ?? "")}`)) as { default: RequestListener };
createServer(module.default).listen(Number(port), "127.0.0.1");
