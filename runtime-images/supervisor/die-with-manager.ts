import { killLeftBehind } from "../protocol/left-behind.ts";

/** Kills the process group when stdin ends. Embedded, stdin is a pipe that the manager holds open, so it ends however the manager ends. */
export function dieWithManager(uid: string): void {
  const killGroup = () => {
    killLeftBehind(new Set([uid]));
    process.kill(0, "SIGKILL");
  };
  process.stdin.on("end", killGroup).on("error", killGroup).resume();
}
