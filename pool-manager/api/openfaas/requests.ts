import { Type } from "typebox";
import { ManagerError } from "../../errors.ts";

/** The one namespace that clients see: functions of Berth have none. Its name is the one that clients of OpenFaaS send where they are told none. */
export const NAMESPACE = "openfaas-fn";

const Text = Type.String({ maxLength: 4096 });
const Texts = Type.Record(Type.String(), Type.String({ maxLength: 32_768 }));
const Resources = Type.Object({ memory: Type.Optional(Text), cpu: Type.Optional(Text) });

/** OpenFaaS's FunctionDeployment. Fields that are not listed are ignored, as OpenFaaS does. */
export const DeploymentBody = Type.Object({
  service: Text,
  image: Text,
  namespace: Type.Optional(Text),
  envProcess: Type.Optional(Text),
  envVars: Type.Optional(Texts),
  constraints: Type.Optional(Type.Array(Text)),
  secrets: Type.Optional(Type.Array(Text)),
  labels: Type.Optional(Texts),
  annotations: Type.Optional(Texts),
  limits: Type.Optional(Resources),
  requests: Type.Optional(Resources),
  readOnlyRootFilesystem: Type.Optional(Type.Boolean()),
});

export const RemovalBody = Type.Object({ functionName: Text, namespace: Type.Optional(Text) });

export const ScaleBody = Type.Object({ replicas: Type.Integer({ minimum: 0 }), namespace: Type.Optional(Text) });

export const SecretBody = Type.Object({
  name: Text,
  namespace: Type.Optional(Text),
  value: Type.Optional(Type.String()),
  /** Base64, of a value that is no text. */
  rawValue: Type.Optional(Type.String()),
});

export const NameParams = Type.Object({ name: Text });

export const NamespaceQuery = Type.Object({ namespace: Type.Optional(Text) });

export const LogsQuery = Type.Object({
  name: Text,
  namespace: Type.Optional(Text),
  instance: Type.Optional(Text),
  /** RFC 3339. */
  since: Type.Optional(Text),
  /** 0 or less: all. */
  tail: Type.Optional(Type.Integer()),
  follow: Type.Optional(Type.Boolean()),
});

/** Throws `NAMESPACE_UNKNOWN`. */
export function checkNamespace(namespace: string | undefined): void {
  if (namespace === undefined || namespace === "" || namespace === NAMESPACE) return;
  throw new ManagerError("NAMESPACE_UNKNOWN", `there is no namespace ${JSON.stringify(namespace.slice(0, 80))}`, "namespace");
}
