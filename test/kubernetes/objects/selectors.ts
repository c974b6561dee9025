import { badRequest } from "../api/api-error.ts";
import { type ApiObject, valueAt } from "./object.ts";

type Labels = Readonly<Record<string, string>>;

/** The objects that a list or watch selects. */
export type Matches = (object: ApiObject) => boolean;

export function matchesOf(labelSelector = "", fieldSelector = ""): Matches {
  const labels = labelSelector
    .split(/,(?![^(]*\))/)
    .filter(Boolean)
    .map(requirement);
  const fields = fieldSelector.split(",").filter(Boolean).map(fieldRequirement);
  return (object) => labels.every((holds) => holds(object.metadata.labels ?? {})) && fields.every((holds) => holds(object));
}

function requirement(text: string): (labels: Labels) => boolean {
  const set = /^\s*([^\s!=,()]+)\s+(in|notin)\s+\(([^)]*)\)\s*$/.exec(text);
  if (set) {
    const [, key = "", operator, list = ""] = set;
    const values = new Set(list.split(",").map((value) => value.trim()));
    return (labels) => (operator === "in") === values.has(labels[key] ?? "\0");
  }
  const equal = /^\s*([^\s!=,()]+)\s*(==|=|!=)\s*([^\s!=,()]*)\s*$/.exec(text);
  if (equal) {
    const [, key = "", operator, value] = equal;
    return (labels) => (operator === "!=") !== (labels[key] === value);
  }
  const exists = /^\s*(!?)\s*([^\s!=,()]+)\s*$/.exec(text);
  if (!exists) throw badRequest(`unable to parse requirement: ${text}`);
  const [, not, key = ""] = exists;
  return (labels) => (not === "!") !== key in labels;
}

function fieldRequirement(text: string): (object: ApiObject) => boolean {
  const parsed = /^([^!=]+)(==|=|!=)(.*)$/.exec(text);
  if (!parsed) throw badRequest(`invalid selector: '${text}'; can't understand '${text}'`);
  const [, path = "", operator, value] = parsed;
  return (object) => (operator === "!=") !== (String(valueAt(object, path.split(".")) ?? "") === value);
}
