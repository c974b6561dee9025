import { isRefusedWrite, KubeError } from "../../../kubernetes/error.ts";
import { PlatformError } from "../../platform.ts";

export function droppedError(names: readonly string[]): PlatformError {
  return new PlatformError("REFUSED", `something at the cluster, such as a webhook, takes ${names.join(", ")} away from pods, or changes them`);
}

/** An error of the Kubernetes API, in the words of the platform port. */
export function platformError(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error;
  if (!(error instanceof KubeError)) return new PlatformError("UNREACHABLE", (error as Error).message);
  const { status, message } = error;
  if (status === 409) return new PlatformError("CONFLICT", message);
  if (status === 404) return new PlatformError("NOT_FOUND", message);
  return new PlatformError(isRefusedWrite(error) ? "REFUSED" : "UNREACHABLE", message);
}

/** The server, or we ourselves, have refused the write: it has not happened. */
export function isCertainlyRefused(error: unknown): boolean {
  if (error instanceof PlatformError) return ["CONFLICT", "NOT_FOUND", "REFUSED"].includes(error.code);
  return error instanceof KubeError && isRefusedWrite(error);
}
