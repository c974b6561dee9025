/** A function as the manage API shows it, as far as commands look at it. */
export interface FunctionView {
  name: string;
  runtime: string;
  revision: string;
  /** The one that was deployed last. */
  latest: string;
  url: string;
  concurrency: number;
  minScale: number;
  maxScale: number;
  idleTimeout: string;
  queueDepth: number;
  queueTimeout: string;
  rollout: object | null;
  env: Record<string, string>;
  /** Names. */
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
