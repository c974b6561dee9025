import { Type } from "typebox";
import { EventStream } from "../schemas/schemas.ts";

const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T, description?: string) =>
  Type.Union([schema, Type.Null()], description ? { description } : {});

const Rows = (description: string) => Type.Array(Type.Object({ id: Type.String() }, { additionalProperties: true }), { description });

export const OverviewQuery = Type.Object(
  {
    follow: Type.Optional(
      Type.Boolean({
        description: "Stream as server-sent events: a snapshot first, then at most five times a second what has changed; at least one message a second.",
      }),
    ),
  },
  { additionalProperties: false },
);

const Overview = Type.Object({
  type: Type.String({ description: "snapshot; in the stream later changes, whose lists are {set, gone}." }),
  now: Type.Integer({ description: "Milliseconds on the clock of createdMs." }),
  status: Type.Object({}, { additionalProperties: true, description: "Version, platform, whether there is a router, whether instances are complete." }),
  pools: Rows("Pools with their settings, doubts and problems."),
  functions: Rows("Up to 1,000 functions, those in use first, with instances, demand, and statistics of the last five minutes."),
  instances: Rows("Every instance with state, function, node and createdMs."),
  events: Type.Array(Type.Object({}, { additionalProperties: true }), { description: "The latest 300 events that are not routine, oldest first." }),
});

export const OverviewAnswer = {
  description: "Everything that the dashboard shows at a glance; with follow=true, a stream of it.",
  content: { "application/json": { schema: Overview }, ...EventStream.content },
};

const Count = Type.Integer();
export const StatisticsAnswer = Type.Object({
  slotSeconds: Count,
  points: Type.Array(
    Type.Object({
      agoS: Type.Number({ description: "How long ago it began, in seconds." }),
      warm: Count,
      prewarmed: Count,
      cold: Count,
      failed: Count,
      p50: Nullable(Type.Number(), "Milliseconds to the end of the response; null without invocations."),
      p99: Nullable(Type.Number()),
    }),
    { description: "The last five minutes, oldest first." },
  ),
});

export const InvokeBody = Type.Object(
  {
    method: Type.Optional(Type.Enum(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"], { description: "By default POST with a body, else GET." })),
    path: Type.Optional(
      Type.String({
        pattern: "^/[\\x21-\\x22\\x24-\\x7e]*$",
        maxLength: 4096,
        description: "Path and query below the function, percent-encoded; by default /.",
      }),
    ),
    revision: Type.Optional(Type.String({ pattern: "^[0-9A-Za-z-]{1,63}$", description: "A served revision, or an alias." })),
    headers: Type.Optional(
      Type.Record(Type.String({ pattern: "^[0-9A-Za-z!#$%&'*+.^_`|~-]{1,128}$" }), Type.String({ pattern: "^[\\t\\x20-\\x7e]*$", maxLength: 4096 }), {
        maxProperties: 50,
        additionalProperties: false,
        description: "Headers of the connection, and those that Berth sets itself, are left out.",
      }),
    ),
    body: Type.Optional(Type.String({ maxLength: 512 * 1024 })),
  },
  { additionalProperties: false },
);

const Ms = Type.Number();
export const InvokeAnswer = Type.Object({
  status: Count,
  headers: Type.Array(Type.Array(Type.String(), { minItems: 2, maxItems: 2 }), { description: "Names and values, in the order of the answer." }),
  body: Type.String({ description: "As UTF-8 text; base64 if it is none." }),
  isBase64: Type.Boolean(),
  truncated: Type.Boolean({ description: "True if the body is longer than 256 KiB: the rest is left out." }),
  start: Nullable(Type.String(), "warm, prewarmed or cold; null if it reached no instance."),
  revision: Nullable(Type.String()),
  callId: Nullable(Type.String()),
  totalMs: Ms,
  phases: Nullable(Type.Object({ queue: Ms, claim: Ms, load: Ms, run: Ms }), "Milliseconds until the response began; null if it reached no instance."),
});
