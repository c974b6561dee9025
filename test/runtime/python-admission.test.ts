import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { Admission, type Admit } from "../../runtime-images/protocol/admission.ts";
import { Dice } from "../helpers/dice.ts";
import { PYTHON } from "../helpers/python.ts";

/** Runs the same steps on Python's admission, and prints what each of them says. */
const PROGRAM = `
import json, sys
sys.path.insert(0, "runtime-images/python/dist")
from berth_worker.admission import Admission
said = []
for run in json.load(sys.stdin):
    admission = Admission()
    said.append([[getattr(admission, name)(*given), admission.running, admission.assigned] for name, *given in run])
print(json.dumps(said))
`;

type Step = [name: "assign" | "loaded" | "failed" | "drain" | "admit" | "finish" | "unpark", ...given: unknown[]];

function steps(dice: Dice): Step[] {
  const uid = () => dice.pick(["f1", "f1", "f2"]);
  const revision = () => dice.pick(["r1", "r1", "r2"]);
  const step = (): Step =>
    dice.pick<() => Step>([
      () => ["admit", uid(), revision()],
      () => ["admit", uid(), revision()],
      () => ["admit", uid(), revision(), true],
      () => ["assign", uid(), revision(), 1 + dice.below(3)],
      () => ["loaded"],
      () => ["failed"],
      () => (dice.below(4) === 0 ? ["drain"] : ["finish"]),
      () => ["unpark"],
    ])();
  const many = dice.below(10) === 0 ? Array.from({ length: 1030 }, (): Step => ["admit", "f1", "r1"]) : [];
  return [...many, ...Array.from({ length: 30 }, step)];
}

function inNode(run: Step[]): unknown[] {
  const admission = new Admission();
  const nameOf = (admit: Admit) => ("refuse" in admit ? admit.refuse : Object.keys(admit)[0]);
  return run.map(([name, ...given]) => {
    const said = (admission[name] as (...given: unknown[]) => Admit | undefined)(...given);
    return [said ? nameOf(said) : null, admission.running, admission.assigned];
  });
}

test.skipIf(PYTHON === null)("admission in Python decides as the protocol's does, step by step", () => {
  const dice = new Dice(15);
  const runs = Array.from({ length: 200 }, () => steps(dice));
  const answer = execFileSync(PYTHON?.command[0] as string, ["-I", "-c", PROGRAM], { input: JSON.stringify(runs), encoding: "utf8" });
  const expected = runs.map(inNode);
  expect(JSON.parse(answer)).toEqual(expected);
  const seen = new Set(expected.flat().map((step) => (step as unknown[])[0]));
  expect([...seen].sort()).toEqual(["draining", "failed", "full", "park", "run", "stale", null].sort());
});
