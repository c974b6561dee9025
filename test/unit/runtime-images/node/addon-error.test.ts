import { expect, test } from "vitest";
import { explainAddonError } from "../../../../runtime-images/node/addon-error.ts";

/** The error of Node 24 for better-sqlite3 as npm installs it for Node 20. */
const FOUND = `The module '/code/node_modules/better-sqlite3/build/Release/better_sqlite3.node'
was compiled against a different Node.js version using
NODE_MODULE_VERSION 115. This version of Node.js requires
NODE_MODULE_VERSION 137. Please try re-compiling or re-installing
the module (for instance, using \`npm rebuild\` or \`npm install\`).`;

test("an addon for another Node is named, with the Node of functions and the ways to mend it", () => {
  const { message, stack } = explainAddonError(new Error(FOUND), "v24.1.0") as Error;
  expect(message).toMatch(
    /^node_modules\/better-sqlite3\/build\/Release\/better_sqlite3\.node is built for another version of Node, and functions run on v24\.1\.0: run npm rebuild .* BERTH_NODE/,
  );
  expect(stack).toMatch(/^Error: node_modules.*\n +at .*addon-error\.test\.ts/);
});

test("other errors stay as they are", () => {
  for (const error of [new Error("boom"), "text", undefined]) expect(explainAddonError(error)).toBe(error);
});
