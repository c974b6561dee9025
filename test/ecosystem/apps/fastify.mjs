import { Readable } from "node:stream";
import fastify from "fastify";
import { LARGE, left, pieces } from "./routes.mjs";

const app = fastify({ bodyLimit: 10 * 2 ** 20 });
app.addContentTypeParser("application/x-www-form-urlencoded", { parseAs: "string" }, (_req, body, done) =>
  done(null, Object.fromEntries(new URLSearchParams(body))),
);
app.get("/hello", async (req) => `hello ${req.query.name}`);
app.post("/json", async (req) => ({ got: req.body }));
app.post("/form", async (req) => req.body);
app.post("/echo", async (req) => req.body);
app.get("/throw", async () => {
  throw new Error("thrown");
});
app.get("/redirect", (_req, reply) => reply.redirect("/elsewhere?a=1"));
app.get("/cookies", (_req, reply) => reply.header("set-cookie", ["a=1", "b=2; HttpOnly"]).send("cookies"));
app.get("/204", (_req, reply) => reply.code(204).send());
app.get("/large", async () => LARGE);
app.get("/stream", (_req, reply) => reply.type("text/plain").send(Readable.from(pieces())));
app.get("/hang", (req) => {
  req.raw.on("close", () => {
    left.count += 1;
  });
  return new Promise(() => {});
});
app.get("/left", async () => left.count > 0);
app.delete("/things/:id", async (req) => ({ deleted: req.params.id }));

export default async (req, res) => {
  await app.ready();
  app.server.emit("request", req, res);
};
