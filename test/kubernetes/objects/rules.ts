import { type Fields, isFields } from "./object.ts";

type Check = (self: Fields, before: Fields | null) => boolean;
const number = (value: unknown) => value as number;

/**
 * The rules (CEL) of Berth's definitions, as JavaScript. A rule that is missing here is an error of the test: a rule
 * that is not checked must not look like one that holds.
 */
const RULES: Readonly<Record<string, { check: Check; ofTransition: boolean }>> = {
  "has(self.digest) != has(self.files)": { check: (self) => "digest" in self !== "files" in self, ofTransition: false },
  "has(self.code) != has(self.image)": { check: (self) => "code" in self !== "image" in self, ofTransition: false },
  "!has(self.auto) || !has(self.size)": { check: (self) => !("auto" in self && "size" in self), ofTransition: false },
  "!has(self.auto) || !has(self.auto.min) || !has(self.max) || self.auto.min <= self.max": {
    check: ({ auto, max }) => !isFields(auto) || auto.min === undefined || max === undefined || number(auto.min) <= number(max),
    ofTransition: false,
  },
  "!has(self.minScale) || !has(self.maxScale) || self.minScale <= self.maxScale": {
    check: (self) => !("minScale" in self && "maxScale" in self) || number(self.minScale) <= number(self.maxScale),
    ofTransition: false,
  },
  "!has(self.traffic) || !has(self.traffic.minScales) || !has(self.maxScale) || self.traffic.minScales.all(r, self.traffic.minScales[r] <= self.maxScale)": {
    check: ({ traffic, maxScale }) =>
      !isFields(traffic) ||
      !isFields(traffic.minScales) ||
      maxScale === undefined ||
      Object.values(traffic.minScales).every((instances) => number(instances) <= number(maxScale)),
    ofTransition: false,
  },
  "!has(self.scaling) || !has(self.scaling.activationScale) || !has(self.maxScale) || self.scaling.activationScale <= self.maxScale": {
    check: ({ scaling, maxScale }) =>
      !isFields(scaling) || scaling.activationScale === undefined || maxScale === undefined || number(scaling.activationScale) <= number(maxScale),
    ofTransition: false,
  },
  "!has(self.runtime) || !has(oldSelf.runtime) || self.runtime == oldSelf.runtime": {
    check: (self, before) => !("runtime" in self && "runtime" in (before ?? {})) || self.runtime === before?.runtime,
    ofTransition: true,
  },
  "!has(oldSelf.term) || oldSelf.term >= 999999999 || (has(self.term) && self.term >= oldSelf.term)": {
    check: (self, before) =>
      !("term" in (before ?? {})) || number(before?.term) >= 999_999_999 || ("term" in self && number(self.term) >= number(before?.term)),
    ofTransition: true,
  },
};

/** Messages of the rules that do not hold. */
export function brokenRules(rules: readonly { rule: string; message?: string }[], value: unknown, before: unknown): string[] {
  return rules.flatMap(({ rule, message }) => {
    const known = RULES[rule];
    if (!known) throw new Error(`the API in memory does not know the rule ${rule}: add it to test/kubernetes/objects/rules.ts`);
    if (!isFields(value) || (known.ofTransition && !isFields(before))) return [];
    return known.check(value, isFields(before) ? before : null) ? [] : [message ?? `failed rule: ${rule}`];
  });
}
