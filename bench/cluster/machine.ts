import { machineTimes } from "../report/machine.ts";

/** An idle cluster takes a tenth of a core. Milliseconds of a second. */
const QUIET_MS = 300;

/** Waits for a second in which the machine does next to nothing; not for ever, since some never come to rest. */
export async function quiet(): Promise<void> {
  for (let i = 0; i < 15; i++) {
    const before = machineBusyMs();
    // The kubelet looks for changes once a second: an even second would meet it in the same phase each time.
    await new Promise((resolve) => setTimeout(resolve, 1000 + Math.random() * 500));
    if (machineBusyMs() - before < QUIET_MS) return;
  }
}

/** Time that the processors of this machine were busy. */
export function machineBusyMs(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = machineTimes();
  return (user + nice + system + irq + softirq) * 10;
}
