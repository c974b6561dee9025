import express from "express";

const app = express();
app.set("trust proxy", true);
const publicUrl = (req, path) => `${req.protocol}://${req.host}${req.get("x-forwarded-prefix") ?? ""}${path}`;
app.get("/login", (req, res) => res.redirect(publicUrl(req, "/home?from=login")));
app.get("/home", (req, res) => res.json({ protocol: req.protocol, secure: req.secure, hostname: req.hostname, from: req.query.from }));

export default app;
