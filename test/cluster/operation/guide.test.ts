import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { afterAll, expect, test } from "vitest";
import { KubeClient } from "../../../pool-manager/kubernetes/client.ts";
import { unprotect } from "../../../pool-manager/platform/kruise/disruption/unprotect.ts";
import { until } from "../../helpers/berth.ts";
import { BIN } from "../machine/install/programs.ts";
import { REGISTRY_OF_PODS } from "../machine/layout.ts";
import { CACHE_DIR, clusterConfig } from "../subject/subject.ts";

/** All of the guide, an installation and an upgrade included. */
const GUIDE_MS = 400_000;
const { kubeconfig, registry } = clusterConfig("berth");

/** The guide installs into this namespace; it is gone before and after. */
async function withoutNamespace(): Promise<void> {
  const kube = await KubeClient.connect(kubeconfig, "berth");
  const exists = () =>
    kube.get("/api/v1/namespaces/berth").then(
      () => true,
      () => false,
    );
  if (await exists()) await unprotect(kube);
  if (await exists()) await kube.delete("/api/v1/namespaces/berth");
  await until(async () => !(await exists()), "the namespace is gone", 12_000);
  kube.close();
}
afterAll(withoutNamespace, 150_000);

test(
  "every command of the operator's guide does what it says, from the installation to the removal",
  async () => {
    await withoutNamespace();
    const guide = readFileSync("docs/operating.md", "utf8");
    const blocks = [...guide.matchAll(/^## (.+)$|^```sh\n([\s\S]+?)^```$/gm)].map(([, heading, commands]) =>
      heading ? `echo "== ${heading}"` : (commands ?? ""),
    );
    expect(blocks.length).toBeGreaterThan(20);
    const child = spawn("bash", ["-euo", "pipefail"], {
      env: {
        ...process.env,
        PATH: `${dirname(BIN.helm)}:${process.env.PATH}`,
        KUBECONFIG: kubeconfig ?? "",
        BERTH_REGISTRY: registry,
        BERTH_REGISTRY_OF_PODS: REGISTRY_OF_PODS,
        BERTH_INSECURE_REGISTRY: "true",
        BERTH_CACHE_DIR: CACHE_DIR,
      },
      timeout: GUIDE_MS,
    });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said += chunk));
    child.stdin.end(`set -x\n${blocks.join("\n")}\n`);
    const code = await new Promise((resolve) => child.once("exit", resolve));
    expect(code, said.slice(-5000)).toBe(0);
    // Told once by its deployment, and by each `berth invoke greet`.
    expect(said.match(/^hello from a resource/gm)).toHaveLength(4);
    expect(said).toMatch(/functions?\.berth\.dev\/greet +r1/);
    expect(said).toContain("Rollback was a success");
    expect(said).toContain('release "berth" uninstalled');
  },
  GUIDE_MS + 10_000,
);
