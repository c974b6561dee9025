import replyFrom from "@fastify/reply-from";
import Fastify from "fastify";

/** `reply-from.ts PORT UPSTREAM HEADERS`: a proxy as a Fastify user would write it. */
const [, , port, upstream, headers] = process.argv;
const more = JSON.parse(headers ?? "{}") as Record<string, string>;
const app = Fastify();
app.removeAllContentTypeParsers();
app.addContentTypeParser("*", (_request, payload, done) => done(null, payload));
await app.register(replyFrom, { base: upstream, undici: { connections: 64, pipelining: 1 } });
app.all("/*", (_request, reply) => reply.from("/", { rewriteRequestHeaders: (_req, given) => ({ ...given, ...more }) }));
await app.listen({ port: Number(port), host: "127.0.0.1" });
