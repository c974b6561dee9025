import { Hono } from "hono";

const app = new Hono();
app.get("/", (c) => c.json({ hello: c.req.query("name") ?? "world" }));

export default app;
