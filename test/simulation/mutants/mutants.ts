import { INSTANCE_MUTANTS } from "./instance-mutants.ts";
import type { Mutant } from "./mutant.ts";
import { POOL_MANAGER_MUTANTS } from "./pool-manager-mutants.ts";
import { ROUTER_MUTANTS } from "./router-mutants.ts";

/** Every one of these must be caught by the simulation's invariants; docs/invariants.md says by which. */
export const MUTANTS: Mutant[] = [...INSTANCE_MUTANTS, ...ROUTER_MUTANTS, ...POOL_MANAGER_MUTANTS];
