import { ManifestSchema } from "../../../functions/manifest/schema.ts";
import { MAX_TERM } from "../../../platform/kruise/leader-election/lease.ts";
import { MAX_INSTANCES, PoolFields } from "../../../pool/settings/pool-fields.ts";
import { CODE, object, open, percent, type Schema, structural, text } from "./schema-parts.ts";

/** API group and version of Berth's custom resources. */
export const GROUP = "berth.dev";
export const VERSION = "v1alpha1";
/** Rises with each change of the definitions: an older pool manager leaves later ones as they are. */
export const DEFINITION_VERSION = 15;
/** Characters of a pool's history in its status: a resource is limited to about a million, and is sent to each watcher. */
export const MAX_HISTORY = 64 * 1024;
export const VERSION_ANNOTATION = "berth.dev/definition-version";
export const RESOURCES = `/apis/${GROUP}/${VERSION}`;

const TRAFFIC = object({
  active: text("Revision that gets the invocations that the split leaves; by default the one of this manifest.", { pattern: "^r[0-9]+$" }),
  split: {
    type: "object",
    description: "Percent of the invocations by revision, 100 together at most.",
    additionalProperties: percent,
    maxProperties: 10,
  },
  aliases: {
    type: "object",
    description: "Revision by alias, which is invoked as NAME@ALIAS.",
    additionalProperties: { type: "string", pattern: "^r[0-9]+$" },
    maxProperties: 10,
  },
  minScales: {
    type: "object",
    description: "Instances that are kept of a revision with a share or an alias, by revision. Those of the active one are spec.minScale.",
    additionalProperties: { type: "integer", minimum: 0, maximum: 1000 },
    maxProperties: 10,
  },
});

const CONDITIONS = {
  type: "array",
  items: object(
    {
      type: { type: "string" },
      status: { type: "string", enum: ["True", "False", "Unknown"] },
      reason: { type: "string" },
      message: { type: "string" },
      observedGeneration: { type: "integer" },
      lastTransitionTime: { type: "string", format: "date-time" },
    },
    { required: ["type", "status", "reason", "message", "lastTransitionTime"] },
  ),
  "x-kubernetes-list-type": "map",
  "x-kubernetes-list-map-keys": ["type"],
};

/**
 * Rejects writes of former leaders, whose term is lower than the stored one. A stored term that is the last one, or
 * impossible (`believable`), does not fence: it would do so for ever, and refuse the hand that takes it back.
 */
const FENCED = {
  "x-kubernetes-validations": [
    {
      rule: `!has(oldSelf.term) || oldSelf.term >= ${MAX_TERM} || (has(self.term) && self.term >= oldSelf.term)`,
      message: "an older leader's write",
    },
  ],
};

const FUNCTION_STATUS = object(
  {
    observedGeneration: { type: "integer" },
    term: { type: "integer", description: "Leadership term of the last write." },
    uid: text("Identity of the function, unique over time."),
    runtime: { type: "string" },
    active: text("Revision that gets the invocations that the split leaves."),
    latest: text("Revision of the latest manifest."),
    nextRevision: { type: "integer" },
    warm: { type: "integer", description: "Instances that have its code loaded." },
    selector: text("Label selector of its instances' pods, for the scale subresource."),
    secret: text("Version of the Secret in secretRef that was read last."),
    traffic: { type: "object", ...open },
    scaling: { type: "object", ...open },
    rolloutPolicy: { type: "object", nullable: true, ...open },
    rollout: object(
      {
        from: { type: "string" },
        to: { type: "string" },
        step: { type: "integer", description: "Index into spec.rollout.steps; past the last one, the revision gets all invocations." },
        watching: { type: "boolean", description: "Whether the step's share and instances are reached." },
        state: { type: "string", enum: ["rolling", "paused", "undone", "stopped", "complete"] },
        reason: { type: "string", nullable: true },
        startedAt: { type: "string", format: "date-time" },
        onceLoaded: { type: "boolean", description: "The revision takes over at once when an instance has loaded it." },
      },
      { nullable: true },
    ),
    history: { type: "array", items: { type: "string" }, description: "Revisions in the order in which they became the active one." },
    revisions: { type: "array", items: { type: "object", ...open } },
    conditions: CONDITIONS,
  },
  FENCED,
);

const POOL_STATUS = object(
  {
    observedGeneration: { type: "integer" },
    term: { type: "integer" },
    size: { type: "integer", description: "Instances kept free; with size auto, the chosen number." },
    max: { type: "integer", description: "Maximum number of instances." },
    replicas: { type: "integer", description: "Instances that are free." },
    instances: { type: "integer", description: "All instances." },
    selector: { type: "string" },
    claims: text("What was recorded of claims, compressed; Berth sizes pools and gives advice by it.", { maxLength: MAX_HISTORY }),
    conditions: CONDITIONS,
  },
  FENCED,
);

/** The common fields of the API's manifest, `berth.yaml` and the custom resource, as a structural schema. */
function manifestProperties(): Record<string, Schema> {
  const { secrets: _, ...rest } = ManifestSchema.properties as unknown as Record<string, Schema>;
  // No field has a default: whoever creates a resource would own it, and the API could not change it any more.
  return Object.fromEntries(Object.entries(rest).map(([name, schema]) => [name, structural(schema)]));
}

/**
 * The fields of a pool. Its size is a number or absent, for the scale subresource: of a pool that sizes itself, `auto` has
 * what the API has beside it.
 */
function poolSpec(): Schema {
  const { size, targetHit, min, ...rest } = structural(PoolFields as unknown as Schema).properties as Record<string, Schema>;
  const bounds = { minimum: 0, maximum: MAX_INSTANCES };
  return object(
    {
      runtime: text("Runtime of its instances."),
      size: { type: "integer", description: "Instances kept free.", ...bounds },
      auto: object({ targetHit: targetHit as Schema, min: min as Schema }, { description: "Instead of size: the pool sizes itself by its recorded claims." }),
      ...rest,
    },
    {
      "x-kubernetes-validations": [
        { rule: "!has(self.auto) || !has(self.size)", message: "size and auto exclude each other" },
        { rule: "!has(self.auto) || !has(self.auto.min) || !has(self.max) || self.auto.min <= self.max", message: "auto.min is above max" },
      ],
    },
  );
}

const column = (name: string, type: string, jsonPath: string, priority = 0) => ({ name, type, jsonPath, ...(priority && { priority }) });
const accepted = column("Accepted", "string", '.status.conditions[?(@.type=="Accepted")].status');
const age = column("Age", "date", ".metadata.creationTimestamp");

interface Kind {
  kind: string;
  plural: string;
  singular: string;
  spec: Schema;
  status: Schema;
  columns: object[];
  scale?: object;
}

function definition({ kind, plural, singular, spec, status, columns, scale }: Kind): object {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: {
      name: `${plural}.${GROUP}`,
      // Kruise refuses to delete the definition while resources exist, which would be deleted with it.
      labels: { "policy.kruise.io/delete-protection": "Cascading" },
      annotations: { [VERSION_ANNOTATION]: String(DEFINITION_VERSION) },
    },
    spec: {
      group: GROUP,
      scope: "Namespaced",
      names: { kind, plural, singular, listKind: `${kind}List`, categories: ["berth"] },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: "object", required: ["spec"], properties: { spec, status } } },
          subresources: { status: {}, ...(scale && { scale }) },
          additionalPrinterColumns: columns,
        },
      ],
    },
  };
}

/** The CustomResourceDefinitions in the order of their installation. */
export function definitions(): object[] {
  const spec = object(
    {
      ...manifestProperties(),
      secretRef: text("Secret whose keys are environment variables of the function; read when a revision is made.", { maxLength: 253 }),
      code: CODE,
      traffic: TRAFFIC,
    },
    {
      "x-kubernetes-validations": [
        { rule: "has(self.code) != has(self.image)", message: "give code or an image, and not both" },
        { rule: "!has(self.minScale) || !has(self.maxScale) || self.minScale <= self.maxScale", message: "minScale is above maxScale" },
        {
          rule: "!has(self.traffic) || !has(self.traffic.minScales) || !has(self.maxScale) || self.traffic.minScales.all(r, self.traffic.minScales[r] <= self.maxScale)",
          message: "a number of traffic.minScales is above maxScale",
        },
        {
          rule: "!has(self.scaling) || !has(self.scaling.activationScale) || !has(self.maxScale) || self.scaling.activationScale <= self.maxScale",
          message: "scaling.activationScale is above maxScale",
        },
        { rule: "!has(self.runtime) || !has(oldSelf.runtime) || self.runtime == oldSelf.runtime", message: "runtime: delete the function first" },
      ],
    },
  );
  return [
    definition({
      kind: "Function",
      plural: "functions",
      singular: "function",
      spec,
      status: FUNCTION_STATUS,
      columns: [
        column("Revision", "string", ".status.active"),
        column("Latest", "string", ".status.latest", 1),
        column("Warm", "integer", ".status.warm"),
        accepted,
        column("Ready", "string", '.status.conditions[?(@.type=="Ready")].status'),
        age,
      ],
      scale: { specReplicasPath: ".spec.minScale", statusReplicasPath: ".status.warm", labelSelectorPath: ".status.selector" },
    }),
    definition({
      kind: "Pool",
      plural: "pools",
      singular: "pool",
      spec: poolSpec(),
      status: POOL_STATUS,
      columns: [
        column("Size", "integer", ".status.size"),
        column("Free", "integer", ".status.replicas"),
        column("Instances", "integer", ".status.instances"),
        column("Max", "integer", ".status.max"),
        column("Paused", "boolean", ".spec.paused"),
        accepted,
        age,
      ],
      scale: { specReplicasPath: ".spec.size", statusReplicasPath: ".status.replicas", labelSelectorPath: ".status.selector" },
    }),
  ];
}
