import { initTRPC } from "@trpc/server";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { z } from "zod";

const t = initTRPC.create({ isDev: false });
const router = t.router({
  hello: t.procedure.input(z.object({ name: z.string() })).query(({ input }) => ({ text: `hello ${input.name}` })),
  add: t.procedure.input(z.object({ a: z.number(), b: z.number() })).mutation(({ input }) => input.a + input.b),
  fails: t.procedure.query(() => {
    throw new Error("thrown");
  }),
});

export default { fetch: (req) => fetchRequestHandler({ endpoint: "/trpc", req, router, createContext: () => ({}) }) };
