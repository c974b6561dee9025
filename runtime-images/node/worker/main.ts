import { rehearsalOrder } from "../rehearsal.ts";
import { defineAwslambda } from "../signatures/lambda-stream.ts";
import { loadFunction } from "./load.ts";
import { serve } from "./serve.ts";
import { enterCode } from "./working-directory.ts";

defineAwslambda();
serve({
  load: async (request) => {
    enterCode(request.file);
    Object.assign(process.env, request.env);
    return loadFunction(request);
  },
  rehearse: (dir) => loadFunction(rehearsalOrder(dir)),
});
