import type { FunctionRecord } from "./function.ts";

/** Everything that revisions reference: function uids, digests of images and layers. */
export function needed(records: readonly FunctionRecord[]): { functions: Set<string>; images: Set<string>; layers: Set<string> } {
  const revisions = records.flatMap((record) => record.revisions);
  return {
    functions: new Set(records.map(({ uid }) => uid)),
    images: new Set(revisions.map(({ image }) => image)),
    layers: new Set(revisions.map(({ layer }) => layer)),
  };
}

/** Code images that revisions reference: `name:revision` by digest. */
export function namedImages(records: readonly FunctionRecord[]): Map<string, string> {
  return new Map(records.flatMap(({ name, revisions }) => revisions.map((r) => [r.image, `${name}:${r.id}`] as const)));
}
