import { memoryMb } from "../node/signatures/lambda.ts";
import type { LoadRequest } from "../node/worker/language.ts";

/** The variables that a command inherits from its worker: no settings of Node or of Berth, but the marks by which its processes are found. */
export function ownEnvironment(): NodeJS.ProcessEnv {
  const { BERTH_HOST: _, ...rest } = process.env;
  return rest;
}

/** The variables of Lambda that say nothing untrue here. */
export function lambdaEnvironment({ functionName, revision, settings }: LoadRequest, dir: string): Record<string, string> {
  return {
    _HANDLER: settings.handler ?? "bootstrap",
    LAMBDA_TASK_ROOT: dir,
    AWS_LAMBDA_FUNCTION_NAME: functionName,
    AWS_LAMBDA_FUNCTION_VERSION: revision,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: memoryMb(settings),
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${functionName}`,
    AWS_LAMBDA_LOG_STREAM_NAME: revision,
  };
}
