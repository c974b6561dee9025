import { Readable } from "node:stream";
import Router from "@koa/router";
import Koa from "koa";
import { LARGE, left, pieces } from "./routes.mjs";

const app = new Koa();
app.silent = true;
const router = new Router();
const bodyOf = async (ctx) => {
  const chunks = [];
  for await (const chunk of ctx.req) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
};
router.get("/hello", (ctx) => {
  ctx.body = `hello ${ctx.query.name}`;
});
router.post("/json", async (ctx) => {
  const text = await bodyOf(ctx);
  try {
    ctx.body = { got: JSON.parse(text) };
  } catch {
    ctx.throw(400, "broken JSON");
  }
});
router.post("/echo", async (ctx) => {
  ctx.body = await bodyOf(ctx);
});
router.get("/throw", () => {
  throw new Error("thrown");
});
router.get("/redirect", (ctx) => ctx.redirect("/elsewhere?a=1"));
router.get("/cookies", (ctx) => {
  ctx.cookies.set("a", "1");
  ctx.cookies.set("b", "2", { httpOnly: false });
  ctx.body = "cookies";
});
router.get("/204", (ctx) => {
  ctx.status = 204;
});
router.get("/large", (ctx) => {
  ctx.body = LARGE;
});
router.get("/stream", (ctx) => {
  ctx.type = "text";
  ctx.body = Readable.from(pieces());
});
router.get("/hang", (ctx) => {
  ctx.res.on("close", () => {
    left.count += 1;
  });
  return new Promise(() => {});
});
router.get("/left", (ctx) => {
  ctx.body = left.count > 0;
});
router.del("/things/:id", (ctx) => {
  ctx.body = { deleted: ctx.params.id };
});
app.use(router.routes()).use(router.allowedMethods());

export default app.callback();
