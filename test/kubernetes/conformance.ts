import { afterAll, beforeAll, describe } from "vitest";
import { kindsConformance } from "./conformance/kinds.ts";
import { objectsConformance } from "./conformance/objects.ts";
import { conformanceTools, type Subject } from "./conformance/tools.ts";
import { watchesConformance } from "./conformance/watches.ts";

/** The API's answers to Berth's requests, in the words that Berth reads: the same in memory and on a real cluster. */
export function kubernetesConformance(name: string, start: () => Promise<Subject>): void {
  let subject: Subject;
  const tools = conformanceTools(() => subject);

  describe(`the Kubernetes API: ${name}`, () => {
    beforeAll(async () => {
      subject = await start();
    });
    afterAll(() => subject.close());

    objectsConformance(tools);
    watchesConformance(tools);
    kindsConformance(tools);
  });
}
