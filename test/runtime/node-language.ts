import type { Language } from "../helpers/subjects/runtime-subject.ts";

/** JavaScript, for the conformance suite. */
export const NODE: Language = {
  entry: "index.mjs",
  worker: null,
  eventSignature: "lambda",
  samples: {
    hello: "export default { fetch: () => new Response('hello') };",
    slow: "export default { async fetch() { await new Promise((r) => setTimeout(r, 300)); return new Response('slow'); } };",
    throws: "throw new Error('boom at load');",
    hangs: "await new Promise(() => setTimeout(() => {}, 1e6)); export default {};",
    exits: "export default (req, res) => (req.url === '/ok' ? res.end('ok') : process.exit(3));",
    spins: "export default { fetch() { for (const from = Date.now(); Date.now() - from < 10_000; ); return new Response('spun'); } };",
    headers: "export default (req, res) => res.end(JSON.stringify([req.headers, req.rawHeaders, req.headersDistinct]));",
    event: "export const handler = async (event) => { if (event.fail) throw new TypeError(event.fail); return { statusCode: 418, event }; };",
    env: "export default { fetch: (request, env) => new Response(process.env.GREETING) };",
  },
};
