/** Splits the text of a stream of server-sent events into their data; comments are left out. The incomplete rest is kept. */
export class EventParser {
  #rest = "";

  push(text: string): string[] {
    const parts = (this.#rest + text).split("\n\n");
    this.#rest = parts.pop() ?? "";
    return parts.flatMap((part) => {
      const lines = part.split("\n").filter((line) => line.startsWith("data:"));
      return lines.length > 0 ? [lines.map((line) => line.slice(5).replace(/^ /, "")).join("\n")] : [];
    });
  }
}
