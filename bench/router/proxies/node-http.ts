import { Agent, createServer, request } from "node:http";

/** `node-http.ts PORT UPSTREAM HEADERS`: the shortest proxy with node:http alone. */
const [, , port, upstream, headers] = process.argv;
const more = JSON.parse(headers ?? "{}") as Record<string, string>;
const { hostname, port: upstreamPort } = new URL(upstream ?? "");
const agent = new Agent({ keepAlive: true, maxSockets: 64 });
createServer((req, res) => {
  const out = request({ agent, hostname, port: upstreamPort, path: "/", method: req.method, headers: { ...req.headers, ...more } }, (answer) => {
    res.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(res);
  });
  out.on("error", () => res.destroy());
  req.pipe(out);
}).listen(Number(port), "127.0.0.1");
