import { Logger } from "@aws-lambda-powertools/logger";
import middy from "@middy/core";
import jsonBodyParser from "@middy/http-json-body-parser";

const logger = new Logger({ serviceName: "ecosystem" });

export const handler = middy()
  .use(jsonBodyParser({ disableContentTypeError: true }))
  .handler(async (event, context) => {
    logger.addContext(context);
    logger.info("invoked", { path: event.rawPath });
    if (event.rawPath === "/throw") throw new Error("thrown");
    return { statusCode: 200, headers: { "content-type": "application/json" }, body: JSON.stringify({ got: event.body, query: event.queryStringParameters }) };
  });
