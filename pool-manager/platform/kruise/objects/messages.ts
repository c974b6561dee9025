/** Kruise has stopped at `maxUnavailable`, which Berth lowers as soon as it asks for no more: that is no reason of its own. */
const OWN_LIMIT = /^scaleUp is limited because of scaleStrategy\.maxUnavailable/;

export function isOwnLimit(message: string): boolean {
  return OWN_LIMIT.test(message);
}

/** Each try would have made a pod of another name: the reason is the same. Kruise adds the whole pod. */
export function withoutNames(message: string, set: string): string {
  return message
    .replace(/^failed to create pod: /, "")
    .replace(/, pod: \{".*$/s, "")
    .replaceAll(new RegExp(`${set}-[a-z0-9]{5}\\b`, "g"), `${set}-…`);
}
