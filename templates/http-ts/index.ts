import type { NodeHandler } from "@berth-faas/berth/handlers";

const handler: NodeHandler = (req, res) => {
  const name = new URL(req.url ?? "/", "http://localhost").searchParams.get("name") ?? "world";
  res.setHeader("content-type", "application/json");
  res.end(JSON.stringify({ hello: name }));
};

export default handler;
