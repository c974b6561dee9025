import express from "express";

const app = express();
app.get("/", (req, res) => {
  res.json({ hello: req.query.name ?? "world" });
});

export default app;
