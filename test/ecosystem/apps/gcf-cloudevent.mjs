import { cloudEvent } from "@google-cloud/functions-framework";
import { getTestServer } from "@google-cloud/functions-framework/testing";

cloudEvent("hello", (event) => {
  if (event.type === "fails") throw new Error("thrown");
  return JSON.stringify({ id: event.id, type: event.type, source: event.source, data: event.data });
});
const server = getTestServer("hello");

export default (req, res) => server.emit("request", req, res);
