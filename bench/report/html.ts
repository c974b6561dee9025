import { columnsOf } from "./columns.ts";
import { distribution, phases, quantiles } from "./plot.ts";
import type { Result } from "./result.ts";
import type { Scenario } from "./scenario.ts";

const STYLE = `
:root { color-scheme: light dark; --line: light-dark(#d8dde3, #3a424c); --quiet: light-dark(#5b6672, #9aa6b2); --bad: light-dark(#b42318, #ff8a7a); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin-bottom: 0.2rem; } h2 { font-size: 1.05rem; margin-top: 2.2rem; }
p, figcaption { color: var(--quiet); } figure { margin: 0; overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.3rem 0.8rem; border-bottom: 1px solid var(--line); text-align: right; } th:first-child, td:first-child { text-align: left; padding-left: 0; }
.bad { color: var(--bad); font-weight: 600; } .table { overflow-x: auto; }
`;

/** A page that needs nothing but itself: tables and plots of a result. `title`: what was measured. */
export async function html(title: string, result: Result): Promise<string> {
  const { scenarios } = result;
  const [tails, curves, bars] = [await quantiles(scenarios), await distribution(scenarios), await phases(scenarios)];
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escaped(title)}</title><style>${STYLE}</style></head>
<body>
<h1>${escaped(title)}</h1>
<p>${escaped(circumstances(result))}</p>
${table(scenarios)}
<h2>Medians and tails</h2>
${figure(tails, "Time to the first byte, counted from the moment at which the request was to be sent.")}
${figure(curves, "Share of invocations that were answered within a time: cold starts, starts from the pool and warm invocations.", "Distribution")}
${figure(bars, "Median of each phase, as the router reports it in server-timing.", "Phases")}
</body>
</html>
`;
}

function circumstances({ machine, date, platform = "local", quick }: Result): string {
  const { cpu, cores, memoryGb, node, stolen } = machine;
  const taken = Number(stolen ?? 0) > 0 ? `, ${(100 * Number(stolen)).toFixed(1)} % of the processor time taken away by the hypervisor` : "";
  return `${date.slice(0, 16).replace("T", " ")} UTC, platform ${platform}${quick ? ", quick run" : ""}; ${cpu}, ${cores} cores, ${memoryGb} GB, Node ${node}${taken}.`;
}

function table(scenarios: readonly Scenario[]): string {
  const columns = columnsOf(scenarios);
  const head = ["scenario", ...columns.map(({ title }) => title), ""].map((title) => `<th>${title}</th>`).join("");
  const rows = scenarios.map((scenario) => {
    const cells = columns.map(({ title, value }) => `<td${title === "errors" && scenario.errors > 0 ? ' class="bad"' : ""}>${value(scenario)}</td>`).join("");
    return `<tr><td>${escaped(scenario.name)}</td>${cells}<td>${escaped(scenario.note ?? "")}</td></tr>`;
  });
  return `<div class="table"><table><thead><tr>${head}</tr></thead><tbody>${rows.join("\n")}</tbody></table></div>`;
}

function figure(svg: string | null, caption: string, heading?: string): string {
  if (svg === null) return "";
  return `${heading ? `<h2>${heading}</h2>\n` : ""}<figure>${svg}<figcaption>${caption}</figcaption></figure>`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
