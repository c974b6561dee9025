/** `starting → prewarmed → specializing → warm → draining → gone`, and `failed` from anywhere. */
export type InstanceState = "starting" | "prewarmed" | "specializing" | "warm" | "draining" | "failed" | "gone";

export interface LoadError {
  /**
   * `load`: the code threw, or its worker exited while it loaded; `timeout`: the load deadline passed; `memory`: a worker was
   * ended above the function's memory limit; `crash`: a worker ended otherwise.
   */
  reason: "load" | "timeout" | "memory" | "crash";
  /** The function's own message, at most 4 KiB. */
  message: string;
  /** The revision at fault; null: its code is not the reason, or has served other invocations without error. */
  revision: string | null;
}

/** An instance's report about itself: the only source of truth about which function it serves. */
export interface Echo {
  uid: string;
  /** New whenever the runtime's supervisor restarts. */
  bootId: string;
  state: InstanceState;
  functionUid: string | null;
  revision: string | null;
  /** Accepted load orders so far. */
  epoch: number;
  /** Rises with every echo: of two echoes with the same bootId the higher one is newer. */
  version: number;
  /** The port that accepts invocations of `revision`; null until its worker listens. */
  port: number | null;
  /** True once the code of `revision` has loaded; before that, requests are parked. */
  loaded: boolean;
  error: LoadError | null;
}

/** The settings of the user's code; part of a load order. */
export interface LoadSettings {
  /** Path of the module below the function's root. */
  entry: string;
  /** Name of the export that handles invocations; null: found by signature. */
  handler: string | null;
  signature: Signature | null;
  concurrency: number;
  /** How long an invocation may run; Lambda handlers can ask how much of it remains. */
  timeoutMs: number;
  /** Of the runtime `custom`: the image whose program is started in the pod's code container, by digest; absent: the function is code. */
  image?: string;
  /** Of the runtime `custom`: what is started, as words or as a text; absent: the file `bootstrap`, or the entry point of the image. */
  command?: string | string[];
  /** Of the runtime `custom`: a path that answers with a status from 200 to 299 once the command can serve; absent: it is asked nothing. */
  health?: string;
  /** The resources that a worker may use; absent: as much as there is. */
  resources?: Resources;
}

/** The limits of a function's worker and the processes that it starts, taken together; an absent one is not limited. */
export interface Resources {
  memoryBytes?: number;
  /** Thousandths of a core. */
  cpuMillis?: number;
  /** Of the function's home, which is its temporary directory too. */
  storageBytes?: number;
  /** Processes and threads. */
  pids?: number;
}

/**
 * How functions of each language are called. `lambda-1.0`: Lambda with API Gateway's payload format 1.0; `lambda` uses 2.0.
 * `http`, `cloud_event`, `event`: functions of Google's functions-framework, `event` being background ones, `(data, context)`.
 * `server`: a command that listens on `$PORT`; of the runtime `custom`, `lambda` is one that speaks the Lambda Runtime API.
 */
export const SIGNATURES = {
  node: ["fetch", "lambda", "lambda-1.0", "node", "event"],
  python: ["asgi", "wsgi", "http", "cloud_event", "lambda", "lambda-1.0", "event"],
  custom: ["server", "lambda", "lambda-1.0"],
} as const;

export type Signature = (typeof SIGNATURES)[keyof typeof SIGNATURES][number];

/** A load order: a compare-and-set on (uid, bootId, epoch). */
export interface LoadOrder {
  uid: string;
  bootId: string;
  /** The epoch that the sender has seen; the instance answers with one more. */
  epoch: number;
  functionUid: string;
  functionName: string;
  revision: string;
  digest: string;
  /** Leadership term of the sender; a term below the highest seen is refused. */
  term: number;
  /**
   * Where the code is. `inline`: an archive with this digest follows the order; it contains the layer and, before it, the
   * code cache that the runtime's V8 has made of the entry. `volume`: the code is in a directory that the instance sees at
   * this path. `image`: the pod's code container will put it into `CODE_DIR`.
   */
  source: { kind: "inline"; archive: string } | { kind: "volume"; path: string } | { kind: "image" };
  /** How long the code may take to load, from acceptance. */
  loadTimeoutMs: number;
  settings: LoadSettings;
  /** The key that routers must present to this instance; null: none is required. */
  key: string | null;
  /** The function's environment, including secrets. Must never be logged. */
  env: Record<string, string>;
}

/** Why a load order was refused. */
export type OrderRefusal = "uid" | "boot" | "epoch" | "term" | "function" | "state";

/** The answer to a load order. */
export type LoadAnswer = { accepted: true; echo: Echo } | { accepted: false; refusal: OrderRefusal; echo: Echo };

/** The directory of a layer that contains the function's files. */
export const FUNCTION_ROOT = "function";

/** In a pod, the directory into which the code container puts the function; it is on the volume shared with the runtime container. */
export const CODE_DIR = "/berth/code";

/** The file that marks a function as complete; it contains the digest of the layer. */
export const CODE_READY = ".berth-ready";

/** Separates the JSON order from the code that follows it in the body of `POST /v1/load`. */
export const ORDER_END = 0x0a;

/** A line on the instance's log pipe, written as `LOG_MARK` followed by JSON. Other lines are the function's raw output. */
export interface LogLine {
  /** Call id of the invocation that wrote the line; null: it was written outside any invocation. */
  c: string | null;
  s: "out" | "err";
  m: string;
  /** The `traceparent` of that invocation; absent: it had none. */
  t?: string;
}
export const LOG_MARK = "\u001e";

/** The line that a supervisor prints once its control socket listens; over TLS, a space and its fingerprint follow. */
export const CONTROL_READY = `${LOG_MARK}control`;

/** One line of an instance's event stream that carries an echo or a log line. */
export type ControlLine = { echo: Echo; log?: undefined } | { log: string; echo?: undefined };

/** A heartbeat, sent to followers that have asked for beats. */
export interface BeatLine {
  beat: true;
  echo?: undefined;
  log?: undefined;
}

/** Query parameter of `GET /v1/events` by which a follower asks for beats: `beats=1`. */
export const BEATS_QUERY = "beats";

/** Response header with the interval of beats, in milliseconds. Without it a stream may be silent for as long as nothing changes. */
export const BEAT_HEADER = "x-berth-beat";

/** The port of the control API in a pod. */
export const CONTROL_PORT = 7420;

/** The longest error text in an echo, in characters. */
const MAX_ERROR_CHARS = 4096;

/** An error text for an echo. */
export function clipError(text: string): string {
  return text.length > MAX_ERROR_CHARS ? `${text.slice(0, MAX_ERROR_CHARS)}…` : text;
}
