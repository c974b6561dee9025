import { Readable } from "node:stream";
import { LARGE, left, pieces } from "./routes.mjs";

export function createApp(express) {
  const app = express();
  app.use(express.json({ limit: "10mb" }), express.urlencoded({ extended: true }), express.text({ limit: "10mb" }));
  app.get("/hello", (req, res) => res.send(`hello ${req.query.name}`));
  app.post("/json", (req, res) => res.json({ got: req.body }));
  app.post("/form", (req, res) => res.json(req.body));
  app.post("/echo", (req, res) => res.type("text").send(req.body));
  app.get("/throw", () => {
    throw new Error("thrown");
  });
  app.get("/rejects", (_req, _res, next) => Promise.reject(new Error("rejected")).catch(next));
  app.get("/redirect", (_req, res) => res.redirect("/elsewhere?a=1"));
  app.get("/cookies", (_req, res) => res.cookie("a", "1").cookie("b", "2", { httpOnly: true }).send("cookies"));
  app.get("/204", (_req, res) => res.status(204).end());
  app.get("/etag", (_req, res) => res.send("cached"));
  app.get("/large", (_req, res) => res.type("text").send(LARGE));
  app.get("/stream", (_req, res) => {
    res.type("text").flushHeaders();
    Readable.from(pieces()).pipe(res);
  });
  app.get("/hang", (_req, res) => {
    res.on("close", () => {
      left.count += 1;
    });
  });
  app.get("/left", (_req, res) => res.json(left.count > 0));
  app.get("/range", (req, res) => {
    const range = req.range(100);
    res
      .status(206)
      .set("content-range", `bytes ${range[0].start}-${range[0].end}/100`)
      .send("x".repeat(range[0].end - range[0].start + 1));
  });
  app.delete("/things/:id", (req, res) => res.json({ deleted: req.params.id }));
  return app;
}
