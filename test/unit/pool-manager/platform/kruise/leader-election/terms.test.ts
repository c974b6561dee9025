import { expect, test } from "vitest";
import { highestTerm } from "../../../../../../pool-manager/platform/kruise/leader-election/terms.ts";
import { CLONESETS } from "../../../../../../pool-manager/platform/kruise/objects/objects.ts";

test.each([
  ["CloneSet", `${CLONESETS}/namespaces/berth/clonesets`],
  ["pod", "/api/v1/namespaces/berth/pods"],
])("the term of a %s counts without its labels: a leader after a lost Lease would use it twice", async (_kind, path) => {
  const asked: string[] = [];
  const items = (from: string, selector?: string) =>
    from === path && selector === undefined ? [{ metadata: { name: "fn-a", annotations: { "berth.dev/term": "7" } } }] : [];
  const kube = {
    namespace: "berth",
    get: async <T>(from: string, query: Record<string, string> = {}): Promise<T> => {
      asked.push(from);
      return { metadata: {}, items: items(from, query.labelSelector) } as T;
    },
  };
  expect([await highestTerm(kube), asked.length]).toEqual([7, 4]);
});
