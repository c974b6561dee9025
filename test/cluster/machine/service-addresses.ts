import { execFileSync } from "node:child_process";
import { SERVICE_CIDR } from "./layout.ts";

/**
 * A Service's address is nobody's until the proxy has it; a packet to it is refused then. The machine's default route would carry it away,
 * and a client that something out there answers keeps its connection, and never gets to the Service.
 */
const UNCLAIMED = ["OUTPUT", "FORWARD"].map((chain) => [chain, "-d", SERVICE_CIDR, "-j", "REJECT"]);
const COMMAND = { stdio: "ignore", timeout: 20_000 } as const;

export function refuseUnclaimedServices(): void {
  for (const rule of UNCLAIMED) if (!isSet(rule)) execFileSync("iptables", ["-w", "-A", ...rule], COMMAND);
}

export function routeUnclaimedServices(): void {
  for (const rule of UNCLAIMED) if (isSet(rule)) execFileSync("iptables", ["-w", "-D", ...rule], COMMAND);
}

function isSet(rule: readonly string[]): boolean {
  try {
    execFileSync("iptables", ["-w", "-C", ...rule], COMMAND);
    return true;
  } catch {
    return false;
  }
}
