import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import type { RolloutAnswer } from "../../pool-manager/api/schemas/answers.ts";
import { CliError } from "../errors.ts";
import { functionPath } from "../manage-client.ts";
import { duration } from "../options/arguments.ts";
import { globals } from "../options/globals.ts";
import { printOne } from "../output.ts";

const CHECK_INTERVAL_MS = 250;

const VERBS = {
  pause: "pause a rollout where it is",
  resume: "resume a paused rollout",
  undo: "return all invocations and instances to the old revision",
} as const;

/** rollout: shows and controls a gradual rollout. */
export function rolloutCommands(program: Command): void {
  const rollout = program.command("rollout").description("show and control a gradual rollout");
  rollout
    .command("status <name>")
    .description("show the progress of the last rollout")
    .option("--wait [duration]", "wait until it has ended, at most this long (by default 10m); fails unless the new revision is then active", duration(0))
    .action(async (name: string, { wait }: { wait?: number | true }, command: Command) => {
      const { api, format } = globals(command);
      const path = functionPath(name, "/rollout");
      const deadline = performance.now() + (wait === true ? 600_000 : (wait ?? 0));
      let view = await api.get<RolloutAnswer>(path);
      while (isOpen(view) && performance.now() < deadline) {
        await sleep(CHECK_INTERVAL_MS);
        view = await api.get<RolloutAnswer>(path);
      }
      printOne(view, format);
      if (wait === undefined || view.state === "complete") return;
      if (isOpen(view))
        throw new CliError("ROLLOUT_OPEN", `the rollout of ${view.to} is ${view.state} at ${view.percent} percent`, "wait longer, or resume it");
      throw new CliError("ROLLOUT_ENDED", `${view.from} is active: ${view.reason}`, `correct ${view.to} and deploy it again`);
    });
  for (const [verb, description] of Object.entries(VERBS)) {
    rollout
      .command(`${verb} <name>`)
      .description(description)
      .action(async (name: string, _options: object, command: Command) => {
        const { api, format, say } = globals(command);
        const view = (await api.call("POST", functionPath(name, `/rollout/${verb}`))) as RolloutAnswer;
        say(`${name}: the rollout of ${view.to} is ${view.state}`);
        if (format !== "table") printOne(view, format);
      });
  }
}

function isOpen({ state }: RolloutAnswer): boolean {
  return state === "rolling" || state === "paused";
}
