/** Calls Lambda's API with the SDK for JavaScript as the command line's JSON asks, one call after another; prints what each gave. */
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";

const [, , endpoint, calls] = process.argv;
const client = new LambdaClient({ endpoint, maxAttempts: 1 });
for (const call of JSON.parse(calls)) {
  let said;
  try {
    const { StatusCode, FunctionError, ExecutedVersion, LogResult, Payload } = await client.send(new InvokeCommand(call));
    said = {
      status: StatusCode,
      error: FunctionError ?? null,
      version: ExecutedVersion ?? null,
      log: LogResult ?? null,
      payload: Buffer.from(Payload ?? []).toString(),
    };
  } catch (error) {
    said = { status: error.$metadata?.httpStatusCode, refused: error.name };
  }
  console.log(JSON.stringify(said));
}
