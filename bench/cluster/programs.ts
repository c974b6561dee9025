import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { packLayer } from "../../pool-manager/images/layer.ts";
import { buildImage, digestOf } from "../../pool-manager/images/oci.ts";
import { RegistryClient } from "../../pool-manager/images/registry.ts";
import { bigBundle, HELLO } from "../scenarios.ts";
import type { Subject } from "../subject.ts";

/** What the functions of a subject run. */
export interface Programs {
  runtime: string;
  /** Manifests, in which code is uploaded and images are pushed; the functions have them in turn. */
  manifests(berth: Subject): Promise<object[]>;
}

export const NODE: Programs = {
  runtime: "node",
  manifests: async (berth) => [{ code: await berth.upload(HELLO) }, { code: await berth.upload(bigBundle()) }],
};

const SERVER = `package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "Hello, world!") })
	fmt.Println(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}
`;

/** Images of a static Go server. Rejects where there is no Go. */
export const IMAGE: Programs = {
  runtime: "custom",
  manifests: async () => [{ runtime: "custom", image: await pushed(await built()), loadTimeout: "60s" }],
};

async function built(): Promise<Buffer> {
  const dir = mkdtempSync(join(tmpdir(), "berth-bench-"));
  try {
    writeFileSync(join(dir, "main.go"), SERVER);
    writeFileSync(join(dir, "go.mod"), "module server\ngo 1.21\n");
    const env = { ...process.env, PATH: `${process.env.PATH}:/usr/local/go/bin`, CGO_ENABLED: "0", GOOS: "linux", GOARCH: "amd64" };
    await promisify(execFile)("go", ["build", "-ldflags", "-s -w", "-o", "server", "."], { cwd: dir, env });
    return readFileSync(join(dir, "server"));
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** Pushes the program as an image of its own to the registry of BERTH_REGISTRY; returns its reference. */
async function pushed(program: Buffer): Promise<string> {
  const registry = new RegistryClient({ registry: `${process.env.BERTH_REGISTRY}/bench`, login: async () => null, insecure: false });
  const data = await packLayer([{ path: "server", data: program }], "", 0o755);
  const layer = digestOf(data);
  const image = buildImage({ layers: [{ digest: layer, size: data.length }], entrypoint: ["/server"], labels: {}, architecture: "amd64" });
  await registry.pushBlob("server", layer, async () => data);
  await registry.pushBlob("server", image.configDigest, async () => image.config);
  await registry.pushManifest("server", "latest", image.manifest);
  return registry.reference("server", "latest", image.digest);
}
