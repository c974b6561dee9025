import { type IncomingHttpHeaders, request } from "node:http";
import { createInterface } from "node:readline";
import type { Echo } from "../messages.ts";
import type { RuntimeSubject } from "./subject.ts";

type Line = { echo?: Echo; beat?: true };

interface Events {
  headers: IncomingHttpHeaders;
  lines: Line[];
  /** Resolves with the next line that passes. */
  line(check: (line: Line) => boolean): Promise<void>;
  end(): void;
}

/** Follows a stream of lines on the control socket. */
export function events({ control: socketPath }: RuntimeSubject, path: string): Promise<Events> {
  return new Promise((resolve, reject) => {
    const req = request({ socketPath, path, agent: false }, (res) => {
      const lines: Line[] = [];
      const listeners = new Set<(line: Line) => void>();
      const reader = createInterface({ input: res });
      for (const source of [reader, res]) source.on("error", () => {});
      reader.on("line", (text) => {
        const line = JSON.parse(text) as Line;
        lines.push(line);
        for (const listener of listeners) listener(line);
      });
      const line = (check: (line: Line) => boolean) =>
        new Promise<void>((found, failed) => {
          const timer = setTimeout(() => failed(new Error("no such line within 5 s")), 5000);
          const listener = (one: Line) => {
            if (!check(one)) return;
            clearTimeout(timer);
            listeners.delete(listener);
            found();
          };
          listeners.add(listener);
        });
      resolve({ headers: res.headers, lines, line, end: () => req.destroy() });
    });
    req.on("error", reject);
    req.end();
  });
}
