import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { ManifestSchema } from "../../../functions/manifest/schema.ts";
import { definitions } from "./crds.ts";

/** Writes the manifest's JSON Schema for editors and the custom resource definitions for the chart (`npm run schema`). */
const root = join(import.meta.dirname, "../../../..");
writeFileSync(join(root, "pool-manager/functions/function.schema.json"), `${JSON.stringify(ManifestSchema, null, 2)}\n`);
const crds = join(root, "deploy/chart/crds");
mkdirSync(crds, { recursive: true });
for (const definition of definitions() as { metadata: { name: string } }[]) {
  writeFileSync(join(crds, `${definition.metadata.name}.yaml`), stringify(definition, { aliasDuplicateObjects: false, lineWidth: 0 }));
}
