import { createServer } from "node:http";

// Without listen: Berth connects it to the requests.
export default createServer((req, res) => {
  const name = new URL(req.url ?? "/", "http://localhost").searchParams.get("name") ?? "world";
  res.setHeader("content-type", "application/json");
  res.end(JSON.stringify({ hello: name }));
});
