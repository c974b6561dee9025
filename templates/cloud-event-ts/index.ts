import type { NodeHandler } from "@berth-faas/berth/handlers";
import { HTTP } from "cloudevents";

const handler: NodeHandler = async (req, res) => {
  let body = "";
  for await (const chunk of req) body += chunk;
  const event = HTTP.toEvent<{ name?: string }>({ headers: req.headers, body });
  const { id, data } = Array.isArray(event) ? event[0] : event;
  res.setHeader("content-type", "application/json");
  res.end(JSON.stringify({ hello: data?.name ?? "world", id }));
};

export default handler;
