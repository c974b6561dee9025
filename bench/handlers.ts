/** The same function in one signature: it greets, as JSON, the name in a JSON body, or the world. */
export interface Handler {
  name: string;
  source: string;
  manifest: object;
}

/** The response is sent in one piece with a length, without chunks, which is the cheapest way of node:http. */
const NODE_STYLE = `
const answer = (name, res) => {
  res.setHeader("content-type", "application/json");
  res.end(JSON.stringify({ message: "Hello, " + name + "!" }));
};
export default (req, res) => {
  if (req.method !== "POST") return answer("world", res);
  const chunks = [];
  req.on("data", (chunk) => chunks.push(chunk));
  req.on("end", () => answer(JSON.parse(Buffer.concat(chunks).toString("utf8")).name, res));
};`;

const FETCH = `
export default {
  async fetch(request) {
    const { name } = request.method === "GET" ? { name: "world" } : await request.json();
    return Response.json({ message: "Hello, " + name + "!" });
  },
};`;

const LAMBDA = `
export const handler = async (event) => {
  const { name } = event.body ? JSON.parse(event.body) : { name: "world" };
  return { statusCode: 200, headers: { "content-type": "application/json" }, body: JSON.stringify({ message: "Hello, " + name + "!" }) };
};`;

export const NODE: Handler = { name: "node", source: NODE_STYLE, manifest: { signature: "node" } };
export const HANDLERS: readonly Handler[] = [
  NODE,
  { name: "fetch", source: FETCH, manifest: { signature: "fetch" } },
  { name: "lambda", source: LAMBDA, manifest: { signature: "lambda" } },
  { name: "lambda-1.0", source: LAMBDA, manifest: { signature: "lambda-1.0" } },
];

/** The requests that every handler gets, with the answer that each gives. */
export const SHAPES = [
  { name: "GET", method: "GET", headers: {}, body: undefined, answer: '{"message":"Hello, world!"}' },
  {
    name: "POST",
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"name":"Ada","from":"London"}',
    answer: '{"message":"Hello, Ada!"}',
  },
] as const;
export type Shape = (typeof SHAPES)[number];
