const BUSY_MS = 150;

/**
 * How many times longer work takes than its processor time, because other programs have the processors: 1 on a machine at
 * rest. Times by the wall clock are divided by it, so that a bound means the same on a busy machine.
 */
export function slowdown(): number {
  const from = process.cpuUsage();
  const began = performance.now();
  let cpuMs = 0;
  while (cpuMs < BUSY_MS) {
    const { user, system } = process.cpuUsage(from);
    cpuMs = (user + system) / 1000;
  }
  return Math.max(1, (performance.now() - began) / cpuMs);
}
