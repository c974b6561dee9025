import { Type } from "typebox";

/** The answer of `/v1/status` about this Berth. */
export const StatusView = Type.Object({
  version: Type.String(),
  platform: Type.String(),
  router: Type.Union([Type.String(), Type.Null()], { description: "URL at which functions are invoked." }),
  runtimes: Type.Array(Type.String()),
  python: Type.Union([Type.String(), Type.Null()], {
    description: "Version of CPython that functions run on, such as 3.11; null: there is no runtime python.",
  }),
  limits: Type.String({ description: "What limits the memory, processors, files and processes of functions here, in words." }),
  functions: Type.Integer(),
  ready: Type.Boolean(),
  node: Type.String(),
});
