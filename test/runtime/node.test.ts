import { afterEach, describe, test } from "vitest";
import { conformance } from "../../runtime-images/protocol/conformance/conformance.ts";
import { endSubjects, startSubject } from "../helpers/subjects/runtime-subject.ts";
import { NODE } from "./node-language.ts";

afterEach(endSubjects);

describe("runtime node conforms to the protocol", () => {
  for (const check of conformance) test(check.name, async () => check.run(await startSubject(NODE)));
});
