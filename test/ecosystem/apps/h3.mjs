import {
  createApp,
  createError,
  createRouter,
  defineEventHandler,
  getQuery,
  getRouterParam,
  readBody,
  readRawBody,
  sendRedirect,
  sendStream,
  setCookie,
  setResponseStatus,
  toNodeListener,
} from "h3";
import { LARGE, left, pieces } from "./routes.mjs";

const router = createRouter();
const on = (method, path, handler) => router[method](path, defineEventHandler(handler));
on("get", "/hello", (event) => `hello ${getQuery(event).name}`);
on("post", "/json", async (event) => ({ got: await readBody(event, { strict: true }) }));
on("post", "/form", (event) => readBody(event));
on("post", "/echo", (event) => readRawBody(event));
on("get", "/throw", () => {
  throw createError({ statusCode: 500, message: "thrown" });
});
on("get", "/redirect", (event) => sendRedirect(event, "/elsewhere?a=1"));
on("get", "/cookies", (event) => {
  setCookie(event, "a", "1");
  setCookie(event, "b", "2", { httpOnly: true });
  return "cookies";
});
on("get", "/204", (event) => {
  setResponseStatus(event, 204);
  return null;
});
on("get", "/large", () => LARGE);
on("get", "/stream", (event) => sendStream(event, ReadableStream.from(encoded(pieces()))));
on("get", "/hang", (event) => {
  event.node.res.on("close", () => {
    left.count += 1;
  });
  return new Promise(() => {});
});
on("get", "/left", () => JSON.stringify(left.count > 0));
on("delete", "/things/:id", (event) => ({ deleted: getRouterParam(event, "id") }));

async function* encoded(source) {
  for await (const piece of source) yield new TextEncoder().encode(piece);
}

export default toNodeListener(createApp().use(router));
