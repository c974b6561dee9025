/**
 * A function that uses as much as it is asked for, and tells its process: `/buffers?mb=N`, `/child?mb=N`, `/files?mb=N`.
 * With `hold` it answers only 20 s later: usage is measured at intervals, and a busy machine may miss one.
 */
export const CROWDED = `
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
const kept = [];
const HELD = "globalThis.all = Array.from({ length: Number(process.argv[1]) }, () => Buffer.alloc(2 ** 20, 1)); setTimeout(() => {}, 20_000);";
export default { async fetch(request) {
  const url = new URL(request.url);
  const mb = Number(url.searchParams.get("mb") ?? 0);
  const what = url.pathname.split("/").at(-1);
  if (what === "buffers") for (let i = 0; i < mb; i++) kept.push(Buffer.alloc(2 ** 20, 1));
  if (what === "child") await once(spawn(process.execPath, ["-e", HELD, String(mb)]), "exit");
  if (what === "files") {
    for (let i = 0; i < mb; i++) writeFileSync(tmpdir() + "/file-" + i, Buffer.alloc(2 ** 20));
  }
  if (url.searchParams.has("hold")) await new Promise((resolve) => setTimeout(resolve, 20_000));
  return Response.json({ pid: process.pid });
} };`;
