import { writeFileSync } from "node:fs";
import { ManifestSchema } from "./manifest.ts";

/** `npm run schema`: the manifest's JSON Schema as a file, for editors. */
writeFileSync(new URL("function.schema.json", import.meta.url), `${JSON.stringify(ManifestSchema, null, 2)}\n`);
