import { RegistryClient } from "../../pool-manager/images/registry.ts";
import { pushImage } from "../../pool-manager/images/runtime-image.ts";
import { bigBundle, HELLO } from "../scenarios.ts";
import type { Subject } from "../subject.ts";
import { buildGo, programImage } from "./program-image.ts";

/** The code or the images of a subject's functions. */
export interface Programs {
  runtime: string;
  /** Uploads code or pushes images, and resolves with manifests that name them. The functions get the manifests in turn. */
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
  manifests: async () => [{ runtime: "custom", image: await pushed(await buildGo(SERVER)), loadTimeout: "60s" }],
};

/** Pushes the program as an image of its own to the registry of BERTH_REGISTRY; returns its reference. */
async function pushed(program: Buffer): Promise<string> {
  const registry = new RegistryClient({ registry: `${process.env.BERTH_REGISTRY}/bench`, login: async () => null, insecure: false });
  return pushImage(registry, "server", await programImage(program), "latest");
}
