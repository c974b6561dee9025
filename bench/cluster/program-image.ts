import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { buildImage, type ImageSpec } from "../../pool-manager/images/oci.ts";
import { type Image, packedLayer } from "../../pool-manager/images/runtime-image.ts";

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

/** An image that has a static program and nothing else, for `pushImage`. */
export async function programImage(program: Uint8Array, change: Partial<ImageSpec> = {}): Promise<Image> {
  const { layer, read } = await packedLayer([{ path: "server", data: program }]);
  const built = buildImage({ layers: [layer], entrypoint: ["/server"], labels: {}, architecture: "amd64", ...change });
  return { built, blobs: new Map([[layer.digest, read]]) };
}
