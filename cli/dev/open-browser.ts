import { spawn } from "node:child_process";
import { say } from "../output.ts";

const OPENERS: Partial<Record<NodeJS.Platform, [string, ...string[]]>> = { darwin: ["open"], win32: ["cmd", "/c", "start", ""] };

/** Opens a page in the user's browser. A machine without one is told the address. */
export function openBrowser(url: string): void {
  const [program, ...args] = OPENERS[process.platform] ?? ["xdg-open"];
  const failed = (why: string) => say(`no browser could be opened (${why}): open ${url}`);
  const opener = spawn(program, [...args, url], { stdio: "ignore", detached: true });
  opener.on("error", (error) => failed(error.message));
  opener.on("exit", (code) => {
    if (code) failed(`${program} exited with code ${code}`);
  });
  opener.unref();
}
