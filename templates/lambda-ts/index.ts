import type { LambdaHandler } from "@berth-faas/berth/handlers";

export const handler: LambdaHandler = async (event) => {
  const name = event.queryStringParameters?.name ?? "world";
  return { statusCode: 200, headers: { "content-type": "application/json" }, body: JSON.stringify({ hello: name }) };
};
