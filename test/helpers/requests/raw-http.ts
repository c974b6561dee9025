import { connect } from "node:net";

/** Sends bytes as they are and returns all that comes back until the end of the connection, or until `ms` have passed. */
export function sendRaw(url: string, parts: readonly string[], ms = 1000, gapMs = 20): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    socket.on("close", () => resolve(text)).on("error", () => {});
    const send = async () => {
      for (const part of parts) {
        socket.write(part, "latin1");
        await new Promise((done) => setTimeout(done, gapMs));
      }
    };
    void send();
    setTimeout(() => socket.destroy(), ms);
  });
}

/** Status codes of the responses in what came back. */
export function statuses(text: string): number[] {
  return [...text.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map((match) => Number(match[1]));
}
