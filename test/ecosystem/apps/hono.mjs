import { Hono } from "hono";
import { setCookie } from "hono/cookie";
import { stream, streamSSE } from "hono/streaming";
import { LARGE, left, pieces, sleep } from "./routes.mjs";

const app = new Hono();
app.get("/hello", (c) => c.text(`hello ${c.req.query("name")}`));
app.post("/json", async (c) => c.json({ got: await c.req.json() }));
app.post("/form", async (c) => c.json(await c.req.parseBody()));
app.post("/echo", async (c) => c.text(await c.req.text()));
app.get("/throw", () => {
  throw new Error("thrown");
});
app.get("/redirect", (c) => c.redirect("/elsewhere?a=1"));
app.get("/cookies", (c) => {
  setCookie(c, "a", "1");
  setCookie(c, "b", "2", { httpOnly: true });
  return c.text("cookies");
});
app.get("/204", (c) => c.body(null, 204));
app.get("/304", (c) => c.body(null, 304));
app.get("/large", (c) => c.text(LARGE));
app.get("/stream", (c) => {
  // Without a type it has none here, and that of text alone: an intended difference.
  c.header("content-type", "text/plain");
  return stream(c, async (out) => {
    for await (const piece of pieces()) await out.write(piece);
  });
});
app.get("/sse", (c) =>
  streamSSE(c, async (out) => {
    await sleep(300);
    for (let i = 0; i < 3; i++) await out.writeSSE({ data: `message ${i}`, id: String(i) });
  }),
);
app.get("/hang", (c) => {
  c.req.raw.signal.addEventListener("abort", () => {
    left.count += 1;
  });
  return new Promise(() => {});
});
app.get("/left", (c) => c.json(left.count > 0));
app.delete("/things/:id", (c) => c.json({ deleted: c.req.param("id") }));
app.onError((error, c) => c.text(error.message, error instanceof SyntaxError ? 400 : 500));

export default app;
