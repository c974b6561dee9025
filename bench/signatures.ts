import autocannon from "autocannon";
import Table from "cli-table3";
import { HANDLERS, type Handler, NODE, SHAPES, type Shape } from "./handlers.ts";
import { processCpuUs } from "./report/machine.ts";
import type { Scenario } from "./report/scenario.ts";
import { bareServer, nginx, router } from "./router/fronts.ts";
import type { Progress } from "./scenarios.ts";
import { Subject } from "./subject.ts";

export interface SignaturesSize {
  rounds: number;
  /** How long each measurement takes. */
  seconds: number;
  /** Requests of each shape before the first measurement, so that hot code is compiled. */
  warming: number;
}

const CONNECTIONS = 8;
/** The name of the row of nginx in front of a bare server. */
const BARE = "nginx, bare server";

/** A server, and the proxy in front of it. */
interface Target {
  name: string;
  url: string;
  frontCpuUs(): number;
  instanceCpuUs(): number;
}

/** A target's figures for one shape of request, summed over the rounds. */
class Measured {
  readonly target: Target;
  readonly shape: Shape;
  n = 0;
  errors = 0;
  #frontUs = 0;
  #instanceUs = 0;

  constructor(target: Target, shape: Shape) {
    this.target = target;
    this.shape = shape;
  }

  /** Throws if the target's answer differs: all targets must do the same work. */
  async check(): Promise<void> {
    const { method, headers, body, answer } = this.shape;
    const response = await fetch(this.target.url, { method, headers, body });
    const text = await response.text();
    if (text !== answer) throw new Error(`${this.target.name} answers ${this.shape.name} with ${response.status} ${text}`);
  }

  async load(extent: { duration: number } | { amount: number }): Promise<void> {
    const { url, frontCpuUs, instanceCpuUs } = this.target;
    const { method, headers, body } = this.shape;
    const [front, instance] = [frontCpuUs(), instanceCpuUs()];
    const result = await autocannon({ url, method, headers, body, connections: CONNECTIONS, ...extent });
    this.#frontUs += frontCpuUs() - front;
    this.#instanceUs += instanceCpuUs() - instance;
    this.n += result.requests.total;
    this.errors += result.errors + result.non2xx;
  }

  get frontUs(): number {
    return this.#frontUs / Math.max(1, this.n);
  }

  get instanceUs(): number {
    return this.#instanceUs / Math.max(1, this.n);
  }
}

/** Measures the processor time of router and instance for each signature, in turns within one run, and of nginx in front of a bare server. */
export async function signatures(size: SignaturesSize, progress: Progress): Promise<Scenario[]> {
  const berth = await Subject.start(1);
  const stops: (() => unknown)[] = [() => berth.stop()];
  try {
    const bare = await bareServer(NODE.source);
    stops.unshift(() => bare.stop());
    const proxy = await nginx(bare);
    stops.unshift(() => proxy.stop());
    const front = await router("berth", berth.api.url);
    stops.unshift(() => front.stop());
    const targets: Target[] = [{ name: BARE, url: `${proxy.url}/`, frontCpuUs: proxy.cpuUs, instanceCpuUs: bare.cpuUs }];
    for (const handler of HANDLERS) {
      const name = handler.name.replace(".", "-");
      const pids = await deployed(berth, handler, name);
      const instanceCpuUs = () => pids.reduce((sum, pid) => sum + processCpuUs(pid), 0);
      targets.push({ name: handler.name, url: new URL(`/function/${name}`, front.url).href, frontCpuUs: front.cpuUs, instanceCpuUs });
    }
    await berth.settled(1);
    const all = () => SHAPES.flatMap((shape) => targets.map((target) => new Measured(target, shape)));
    for (const measured of all()) {
      await measured.check();
      await measured.load({ amount: size.warming });
    }
    const rows = all();
    for (let round = 0; round < size.rounds; round++) {
      for (const measured of rows) await measured.load({ duration: size.seconds });
      progress("signatures", round + 1, size.rounds);
    }
    return report(rows);
  } finally {
    for (const stop of stops) await stop();
  }
}

/** Deploys the function on one instance, and returns the instance's processes. */
async function deployed(berth: Subject, { source, manifest }: Handler, name: string): Promise<number[]> {
  await berth.deploy(name, await berth.upload(source), { ...manifest, minScale: 1, maxScale: 1 });
  await (await fetch(`${berth.invokeUrl}/function/${name}`)).text();
  const instance = (await berth.instances()).find((candidate) => candidate.function === name);
  if (!instance) throw new Error(`${name} has no instance`);
  return berth.processesOf(instance.uid);
}

function report(rows: readonly Measured[]): Scenario[] {
  const scenarios = rows.map(({ target, shape, n, errors, frontUs, instanceUs }): Scenario => {
    const of = (name: string) => rows.find((row) => row.target.name === name && row.shape === shape) as Measured;
    return {
      name: `${target.name} ${shape.name}`,
      n,
      errors,
      cpuUsPerRequest: rounded(frontUs, 1),
      cpuOfNginx: rounded(frontUs / of(BARE).frontUs, 2),
      instanceCpuUsPerRequest: rounded(instanceUs, 1),
      instanceOfNode: rounded(instanceUs / of(NODE.name).instanceUs, 2),
      instanceOfBare: rounded(instanceUs / of(BARE).instanceUs, 2),
    };
  });
  const table = new Table({
    head: ["signature", "n", "router µs", "× nginx", "instance µs", "× node", "× bare", "errors"],
    colAligns: ["left", ...Array<"right">(7).fill("right")],
    style: { head: [], border: [] },
  });
  for (const { name, n, cpuUsPerRequest, cpuOfNginx, instanceCpuUsPerRequest, instanceOfNode, instanceOfBare, errors } of scenarios) {
    table.push([name, n, cpuUsPerRequest, cpuOfNginx, instanceCpuUsPerRequest, instanceOfNode, instanceOfBare, errors]);
  }
  process.stdout.write(`${table.toString()}\nprocessor time per invocation, ${CONNECTIONS} connections\n`);
  return scenarios;
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
