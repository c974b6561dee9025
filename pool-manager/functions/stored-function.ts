import { type Former, type FunctionRecord, lostSecrets, type Revision, type Secrets, servedRevisions } from "./function.ts";
import type { InForce, Manifest } from "./manifest/manifest.ts";
import { refuseLost } from "./manifest/variables.ts";
import { baseRevision, manifestOf, newFunction } from "./revisions.ts";

/** A function with the values of its secrets. */
export interface StoredFunction {
  record: FunctionRecord;
  secrets: Secrets;
  /** The number of the latest revision that was found of a function whose record was lost. */
  continues?: number;
}

/** A function without revisions; one that continues a former function keeps its uid and the number of its revision. */
export function newStored(name: string, manifest: Manifest, former?: Former): StoredFunction {
  const record = newFunction(name, manifest);
  if (former) Object.assign(record, { uid: former.uid, nextRevision: Number(former.revision.slice(1)) });
  return { record, secrets: {} };
}

/** The manifest in force: that of the revision from which a change starts. */
export function inForce({ record, secrets }: StoredFunction): InForce {
  const base = baseRevision(record);
  const values = secrets[base.id] ?? {};
  return { ...manifestOf(record, { ...values }), name: record.name, lostSecrets: lostSecrets(base, values) };
}

/** Values of the secrets in force. Throws `SECRETS_LOST`. */
export function secretsInForce({ record, secrets }: StoredFunction): Record<string, string> {
  const base = baseRevision(record);
  refuseLost(record.name, lostSecrets(base, secrets[base.id]));
  return { ...secrets[base.id] };
}

/** The environment of a revision, secrets included: for its load order only. Throws if values of secrets are lost, since the revision does not run without them. */
export function environmentOf(secrets: Secrets | undefined, revision: Revision): Record<string, string> {
  const values = secrets?.[revision.id];
  const lost = lostSecrets(revision, values);
  if (lost.length > 0) throw new Error(lostInWords(lost));
  return { ...revision.env, ...values };
}

/** Why served revisions cannot be started, whatever their instances do; empty if they can. */
export function startProblems({ record, secrets }: StoredFunction): string[] {
  return servedRevisions(record).flatMap((revision) => {
    const lost = lostSecrets(revision, secrets[revision.id]);
    return lost.length > 0 ? [`${revision.id} cannot be started: ${lostInWords(lost)}`] : [];
  });
}

/** Digests of the images and layers of revisions. */
export function contentOf(revisions: readonly Revision[]): string[] {
  return revisions.flatMap(({ image, layer }) => [image, layer]);
}

function lostInWords(names: readonly string[]): string {
  return `the values of its secrets are lost (${names.join(", ")}): deploy it again with them`;
}
