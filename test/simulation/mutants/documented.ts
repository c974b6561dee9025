import { readFileSync } from "node:fs";

/** Each mutant with the invariant that notices it, as docs/invariants.md says. */
export const DOCUMENTED: readonly { mutant: string; id: string }[] = readFileSync("docs/invariants.md", "utf8")
  .split(/^## /m)
  .flatMap((section) => {
    const id = section.split(".")[0] as string;
    const line = section.split("\n").find((one) => one.startsWith("- Mutants:")) ?? "";
    return [...line.matchAll(/"([^"]+)"/g)].map((match) => ({ mutant: match[1] as string, id }));
  });
