import { http } from "@google-cloud/functions-framework";
import { getTestServer } from "@google-cloud/functions-framework/testing";

http("hello", (req, res) => {
  if (req.path === "/throw") throw new Error("thrown");
  res.json({ method: req.method, path: req.path, query: req.query, body: req.body, raw: req.rawBody?.toString() });
});
const server = getTestServer("hello");

export default (req, res) => server.emit("request", req, res);
