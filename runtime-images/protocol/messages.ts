/** `starting → prewarmed → specializing → warm → draining → gone`, and `failed` from anywhere. */
export type InstanceState = "starting" | "prewarmed" | "specializing" | "warm" | "draining" | "failed" | "gone";

export interface LoadError {
  /** `load`: the code threw; `timeout`: the load deadline passed; `crash`: a worker ended by itself. */
  reason: "load" | "timeout" | "crash";
  /** The function's own words, at most 4 KiB. */
  message: string;
  /** The revision at fault; null: its code is none of the reason, or served others well. */
  revision: string | null;
}

/** What an instance says of itself: the only truth about which function it serves. */
export interface Echo {
  uid: string;
  /** New whenever the runtime's supervisor restarts. */
  bootId: string;
  state: InstanceState;
  functionUid: string | null;
  revision: string | null;
  /** Accepted load orders so far. */
  epoch: number;
  /** Rises with every change of the echo: of two echoes with one bootId the higher one is newer. */
  version: number;
  /** Where invocations of `revision` are accepted; null until its worker listens. */
  port: number | null;
  /** True once the code of `revision` has loaded; before that, requests are parked. */
  loaded: boolean;
  error: LoadError | null;
}

/** What the user's code needs to run; part of a load order. */
export interface LoadSettings {
  /** Path of the module below the function's root. */
  entry: string;
  /** Name of the export that handles invocations; null: found by signature. */
  handler: string | null;
  signature: Signature | null;
  concurrency: number;
  /** Milliseconds an invocation may run (Lambda handlers ask for what remains). */
  timeoutMs: number;
}

/**
 * How a function wants to be called. `lambda-1.0`: Lambda with API Gateway's payload format 1.0; `lambda` has 2.0.
 * `event`: `(data, context)`, a background function of Google's functions-framework.
 */
export type Signature = "fetch" | "lambda" | "lambda-1.0" | "node" | "event";

/** `load`: a compare-and-set on (uid, bootId, epoch). */
export interface LoadOrder {
  uid: string;
  bootId: string;
  /** The epoch that the sender has seen; the instance answers with one more. */
  epoch: number;
  functionUid: string;
  functionName: string;
  revision: string;
  digest: string;
  /** Leadership term of the sender; lower ones than the highest seen are refused. */
  term: number;
  /**
   * Where the code is: `inline`, an archive with this digest follows the order: the layer, and before it what the
   * runtime's V8 has compiled of its entry; `volume`, it has been put there already, in a
   * directory that the instance sees at this path; `image`, the pod's code container will put it into `CODE_DIR`.
   */
  source: { kind: "inline"; archive: string } | { kind: "volume"; path: string } | { kind: "image" };
  /** Milliseconds from acceptance until the code must have loaded. */
  loadTimeoutMs: number;
  settings: LoadSettings;
  /** What routers have to present to this instance; null: whoever reaches it may invoke it. */
  key: string | null;
  /** Environment of the function, secrets included. Never written to a log. */
  env: Record<string, string>;
}

/** Why a load order was refused. */
export type OrderRefusal = "uid" | "boot" | "epoch" | "term" | "function" | "state";

/** Answer to a load order. */
export type LoadAnswer = { accepted: true; echo: Echo } | { accepted: false; refusal: OrderRefusal; echo: Echo };

/** Directory of a function layer that holds the function's files. */
export const FUNCTION_ROOT = "function";

/** In a pod: where the code container puts the function, in the volume that it shares with the runtime container. */
export const CODE_DIR = "/berth/code";

/** Written beside a function that has arrived completely: the digest of its layer. */
export const CODE_READY = ".berth-ready";

/** Separates the JSON order from the code that follows it in the body of `POST /v1/load`. */
export const ORDER_END = 0x0a;

/** A line on the instance's log pipe: `LOG_MARK` + JSON of this. Other lines are the function's raw output. */
export interface LogLine {
  /** Call id, when the line was written within an invocation. */
  c: string | null;
  s: "out" | "err";
  m: string;
}
export const LOG_MARK = "\u001e";

/** The line that a supervisor prints once its control socket listens; over TLS, a space and its fingerprint follow. */
export const CONTROL_READY = `${LOG_MARK}control`;

/** One line of an instance's event stream that says something. */
export type ControlLine = { echo: Echo; log?: undefined } | { log: string; echo?: undefined };

/** A line that only says that the instance lives: sent to followers that have asked for beats. */
export interface BeatLine {
  beat: true;
  echo?: undefined;
  log?: undefined;
}

/** Query of `GET /v1/events` by which a follower asks for beats: `beats=1`. */
export const BEATS_QUERY = "beats";

/** On the answer, in milliseconds: how often beats come. Without it a stream may be silent for as long as nothing changes. */
export const BEAT_HEADER = "x-berth-beat";

/** In a pod: the port of the control API. */
export const CONTROL_PORT = 7420;

/** Longest error text that travels in an echo, in characters. */
export const MAX_ERROR_CHARS = 4096;
