import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { buildImage, type ImageSpec } from "../../pool-manager/images/oci.ts";
import { type Image, packedLayer, type ReadableLayer } from "../../pool-manager/images/runtime-image.ts";

/** Compiles a Go program of one file for pods. Rejects where there is no Go. */
export async function buildGo(source: string): Promise<Buffer> {
  const dir = mkdtempSync(join(tmpdir(), "berth-go-"));
  try {
    writeFileSync(join(dir, "main.go"), source);
    writeFileSync(join(dir, "go.mod"), "module server\ngo 1.21\n");
    const env = { ...process.env, PATH: `${process.env.PATH}:/usr/local/go/bin`, CGO_ENABLED: "0", GOOS: "linux", GOARCH: "amd64" };
    await promisify(execFile)("go", ["build", "-ldflags", "-s -w", "-o", "server", "."], { cwd: dir, env });
    return readFileSync(join(dir, "server"));
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** An image of a static program and the layers below it, by default none, for `pushImage`. */
export async function programImage(program: Uint8Array, change: Partial<ImageSpec> = {}, below: readonly ReadableLayer[] = []): Promise<Image> {
  const layers = [...below, await packedLayer([{ path: "server", data: program }])];
  const built = buildImage({ layers: layers.map(({ layer }) => layer), entrypoint: ["/server"], labels: {}, architecture: "amd64", ...change });
  return { built, blobs: new Map(layers.map(({ layer, read }) => [layer.digest, read])) };
}
