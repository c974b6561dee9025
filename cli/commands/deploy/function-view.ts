/** The fields of a function in the manage API that commands use. */
export interface FunctionView {
  name: string;
  runtime: string;
  image: string | null;
  command: string | string[] | null;
  revision: string;
  /** The revision that was deployed last. */
  latest: string;
  url: string;
  concurrency: number;
  minScale: number;
  maxScale: number;
  idleTimeout: string;
  queueDepth: number;
  queueTimeout: string;
  scaling: object | null;
  rollout: object | null;
  env: Record<string, string>;
  /** Names of the secrets. */
  secrets: string[];
  split: Record<string, number>;
  instances: { warm: number; starting: number };
  /** What holds it while it is being deleted; null: it is not. */
  ending: string[] | null;
  /** What is in the function's way, in words. */
  problems: string[];
  newRevision?: boolean;
  rolling?: { to: string; state: string } | null;
}
