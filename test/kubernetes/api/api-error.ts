import type { Fields } from "../objects/object.ts";

interface Details extends Fields {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: { reason: string; message: string; field?: string }[];
  retryAfterSeconds?: number;
}

/** The name of an object in messages. */
export interface Subject {
  group: string;
  plural: string;
  kind: string;
  name: string;
}

/** An answer that is not 2xx: a Status object, in the words of the real API server. */
export class ApiError extends Error {
  readonly code: number;
  readonly reason: string;
  readonly details: Details | null;
  /** Value of the header of that name. Seconds. */
  readonly retryAfter: number | null;

  constructor(code: number, reason: string, message: string, details: Details | null = null) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
    this.retryAfter = details?.retryAfterSeconds ?? null;
  }

  status(): object {
    return {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: this.message,
      reason: this.reason,
      ...(this.details && { details: this.details }),
      code: this.code,
    };
  }
}

/** A path that no kind is served at is answered in plain text, without a Status. */
export class NotServed extends Error {
  constructor() {
    super("404 page not found\n");
  }
}

function qualified({ group, plural }: Subject): string {
  return group ? `${plural}.${group}` : plural;
}

function detailsOf({ group, plural, name }: Subject): Details {
  return { ...(name && { name }), ...(group && { group }), kind: plural };
}

export function notFound(of: Subject): ApiError {
  return new ApiError(404, "NotFound", `${qualified(of)} "${of.name}" not found`, detailsOf(of));
}

export function alreadyExists(of: Subject): ApiError {
  return new ApiError(409, "AlreadyExists", `${qualified(of)} "${of.name}" already exists`, detailsOf(of));
}

export function conflict(of: Subject, why = "the object has been modified; please apply your changes to the latest version and try again"): ApiError {
  return new ApiError(409, "Conflict", `Operation cannot be fulfilled on ${qualified(of)} "${of.name}": ${why}`, detailsOf(of));
}

/** A precondition of a deletion that does not hold: the kind is named there. */
export function deletionConflict(of: Subject, why: string): ApiError {
  return new ApiError(409, "Conflict", `Operation cannot be fulfilled on ${of.kind} "${of.name}": ${why}`, detailsOf(of));
}

export function invalid(of: Subject, field: string, why: string): ApiError {
  const qualifiedKind = of.group ? `${of.kind}.${of.group}` : of.kind;
  const details = { ...detailsOf(of), kind: of.kind, causes: [{ reason: "FieldValueInvalid", message: why, field }] };
  return new ApiError(422, "Invalid", `${qualifiedKind} "${of.name}" is invalid: ${field}: ${why}`, details);
}

/** A JSON patch that cannot be applied, a failed `test` included: the server does not say what of it. */
export function unprocessable(): ApiError {
  return new ApiError(422, "Invalid", "the server rejected our request due to an error in our request", {});
}

export function badRequest(message: string): ApiError {
  return new ApiError(400, "BadRequest", message);
}

export function forbidden(of: Subject, why: string, causes?: Details["causes"]): ApiError {
  return new ApiError(403, "Forbidden", `${qualified(of)} "${of.name}" is forbidden: ${why}`, { ...detailsOf(of), ...(causes && { causes }) });
}

export function expired(message: string): ApiError {
  return new ApiError(410, "Expired", message);
}

export function internalError(message: string): ApiError {
  return new ApiError(500, "InternalError", `Internal error occurred: ${message}`, { causes: [{ reason: "", message }] });
}

export function tooManyRequests(
  retryAfterSeconds: number,
  message = "the server has received too many requests and has asked us to try again later",
): ApiError {
  return new ApiError(429, "TooManyRequests", message, { retryAfterSeconds });
}
