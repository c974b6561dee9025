/** Every error that the pool manager reports: HTTP status, and how the user fixes it. Documented in docs/errors.md. */
export const MANAGER_ERRORS = {
  NAME_INVALID: [400, "use 1–63 lower-case letters, digits and hyphens, beginning and ending with a letter or digit"],
  MANIFEST_INVALID: [400, "correct the field; the schema is at /v1/schemas/function"],
  RUNTIME_UNAVAILABLE: [
    400,
    "choose a runtime that is listed; python needs python3 (3.11 or newer) with pip on the machine of an embedded berth, and npm run build there; a cluster needs an image of it (--python-image, or python3 where berth is started)",
  ],
  RESOURCES_UNAVAILABLE: [400, "give the function less, or make more available as the message says; berth doctor shows what limits functions here"],
  TRAFFIC_INVALID: [
    400,
    "name revisions of the function, shares of at most 100 percent in total, and minScales of revisions with a share or an alias, each at most maxScale",
  ],
  BODY_INVALID: [400, "send a JSON body that matches the schema at /docs"],
  PARAMETER_INVALID: [400, "correct the parameter that is named; /docs lists those of each path"],
  BODY_TOO_LARGE: [413, "send a smaller body: fewer or shorter variables and secrets; files go into the code"],
  REQUEST_INVALID: [400, "send a valid HTTP request, to a path that /docs lists, percent-encoded if needed"],
  CODE_INVALID: [
    400,
    "upload a tar of regular files with an index.mjs, index.cjs, index.js, main.py, app.py or bootstrap at its top; another entry is named by a file .berth-entry",
  ],
  CODE_UNKNOWN: [400, "upload the code with POST /v1/code first, and deploy within ten minutes; a resource that names it is accepted once the code is there"],
  SECRET_NOT_FOUND: [400, "create the Secret: the function is accepted once it exists"],
  DEPLOYMENT_UNSUPPORTED: [400, "take the field out of the deployment; docs/clients.md lists what Berth has instead"],
  NAMESPACE_UNKNOWN: [400, "leave the namespace out, or name openfaas-fn"],
  NAMESPACE_UNSUPPORTED: [501, "name functions apart: one Berth has one namespace"],
  SECRET_MISSING: [400, "give the function its secret first, berth deploy NAME --secret SECRET=VALUE: a deployment by OpenFaaS's API keeps it"],
  SECRET_UNKNOWN: [404, "faas-cli secret list, and berth get NAME, show the secrets that functions have"],
  SECRET_EXISTS: [409, "change its value: faas-cli secret update NAME"],
  SECRET_UNSUPPORTED: [501, "give it to a function: berth deploy FUNCTION --secret NAME=VALUE; from then on it is listed, updated and removed here"],
  FUNCTION_EXISTS: [409, "update it: PUT, faas-cli deploy --update"],
  CODE_TOO_LARGE: [413, "make the bundle smaller"],
  IMAGE_INVALID: [400, "name an image as registry/name:tag or registry/name@sha256:…"],
  IMAGE_NOT_PINNED: [400, "name it by digest in a resource, as registry/name@sha256:…, which skopeo inspect shows"],
  IMAGE_NEEDS_CLUSTER: [
    400,
    "deploy its program from a directory: --from DIRECTORY --command './server'; images are run by a berth on a cluster (berth up --platform kruise)",
  ],
  IMAGE_NOT_FOUND: [400, "check its name and that it is pushed: skopeo inspect docker://IMAGE, on the machine of the pool manager"],
  IMAGE_FORBIDDEN: [400, "give the pool manager credentials of that registry: docker login where it runs, or the registry's credentials of berth"],
  IMAGE_UNSUPPORTED: [400, "build it for linux/amd64, with an entry point or a command; docs/custom.md says what pods give an image"],
  IMAGE_TOO_LARGE: [413, "make it smaller: leave build tools out of its last stage"],
  IMAGE_UNREACHABLE: [502, "check that the registry answers where the pool manager runs, and deploy again"],
  POOL_INVALID: [
    400,
    "choose 0 ≤ size ≤ max, and max ≥ 1; with size auto, 0 ≤ min ≤ max, and a targetHit from 0.5 to 0.9999; an idleMemory has room for min, or for a fixed size, at 96Mi each",
  ],
  SCHEDULE_INVALID: [
    400,
    'write DAYS HH:MM-HH:MM ZONE=INSTANCES, such as "Mon-Fri 08:00-19:00 Europe/Berlin=12", with at most max (maxScale) instances; docs/sizes.md has the rules',
  ],
  POOL_TOO_LARGE: [400, "choose fewer instances, or override the check: berth pool set NAME --force, force: true in the API"],
  KEY_MISSING: [401, "send authorization: Bearer KEY, or use --key or BERTH_KEY with the command; berth key creates keys"],
  KEY_REFUSED: [403, "use a key whose role allows it; the key file of the pool manager lists the roles"],
  FOREIGN_REQUEST: [403, "call the manage API by its loopback address, and not from a web page; update a router of an earlier version"],
  FUNCTION_NOT_FOUND: [404, "berth list shows the functions that are deployed"],
  REVISION_NOT_FOUND: [404, "berth get NAME shows its revisions"],
  POOL_NOT_FOUND: [404, "berth pool list shows the pools"],
  ROUTE_NOT_FOUND: [404, "/docs lists the routes"],
  METHOD_NOT_ALLOWED: [405, "use a method that the header allow lists; /docs lists the routes"],
  LOAD_FAILED: [422, "correct the code or its settings and deploy it; berth logs NAME shows its output"],
  REVISION_SUPERSEDED: [409, "check which revisions are served with berth get NAME: another deployment or a rollback came in between"],
  NO_OLDER_REVISION: [409, "name one with --revision; berth get NAME shows them"],
  ROLLOUT_RUNNING: [409, "wait for it, or end it first: berth rollout undo NAME"],
  ROLLOUT_OVER: [409, "berth rollout status NAME shows the last one; one begins when a revision is deployed to a function with a rollout policy"],
  SECRETS_LOST: [409, "give their values again with secrets, or take them away: null in a PATCH, --unset NAME; on a cluster secretRef brings them back"],
  FIELD_OWNED: [409, "change it where it is declared: kubectl get functions.berth.dev NAME -o yaml --show-managed-fields tells by whom"],
  FUNCTION_ENDING: [
    409,
    "wait until it is gone and deploy again, or end what holds it: kubectl get functions.berth.dev NAME -o yaml shows its metadata.finalizers",
  ],
  RECORD_TOO_LARGE: [
    413,
    "use fewer or shorter variables, secrets and files: Kubernetes stores at most 1 MiB of secret values for all revisions of a function; files go into the code",
  ],
  TOO_MANY_FUNCTIONS: [409, "delete functions that are no longer used"],
  TOO_MANY_STREAMS: [429, "close another logs --follow or events stream, or deploy fewer functions at a time"],
  STORE_FAILED: [500, "make sure that the state directory is writable and its disk is not full; on a cluster, that the API server answers"],
  INTERNAL: [500, "check berth's log for this request"],
  LEADER_LOST: [502, "check whether the request took effect, and retry in a second: the leader ended before it answered"],
  ROUTER_FAILED: [502, "check the router's log, and that this process reaches it; or invoke the function at the router itself"],
  NO_ROUTER: [503, "start one with berth router, or invoke the function elsewhere"],
  NO_LEADER: [503, "retry in a second: another pool manager is about to lead"],
  NOT_READY: [503, "wait until /readyz answers 200"],
} as const satisfies Record<string, readonly [number, string]>;

export type ManagerErrorCode = keyof typeof MANAGER_ERRORS;

/** An error for the user: what is wrong, where, and how to fix it. */
export class ManagerError extends Error {
  readonly code: ManagerErrorCode;
  readonly status: number;
  readonly fix: string;
  /** Path of the offending field, such as `concurrency`. */
  readonly field: string | undefined;

  constructor(code: ManagerErrorCode, message: string, field?: string) {
    super(message);
    this.code = code;
    [this.status, this.fix] = MANAGER_ERRORS[code];
    this.field = field;
  }
}
