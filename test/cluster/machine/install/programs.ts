import { join } from "node:path";
import { CACHE } from "../layout.ts";
import { DEFAULT, minorOf, present } from "./versions.ts";

const { kubernetes, kruise } = present() ?? DEFAULT;

/** The versions of the present cluster when this file is first read, or the defaults. */
export const VERSIONS = { kubernetes, kruise, helm: "3.18.6" } as const;

/** Go modules beside this file that programs are built from. */
export const MODULE = { etcd: "etcd", clients: "clients", kubernetes: `kubernetes-${minorOf(kubernetes)}`, kruise: `kruise-${minorOf(kruise)}` } as const;

/** Programs built from them. */
export const BIN = {
  kubernetes: join(CACHE, `kubernetes-${kubernetes}`),
  etcd: join(CACHE, "etcd"),
  kruise: join(CACHE, `kruise-${kruise}`),
  kruiseDaemon: join(CACHE, `kruise-daemon-${kruise}`),
  helm: join(CACHE, "helm"),
  kubectl: join(CACHE, "kubectl"),
} as const;
