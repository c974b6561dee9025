/**
 * Adds how to mend it to the error of a native addon that is built for another Node; other errors are returned unchanged. Addons
 * that use V8's interface rather than Node-API, such as better-sqlite3, work with one major version of Node only.
 */
export function explainAddonError(error: unknown, version = process.version): unknown {
  if (!(error instanceof Error) || !error.message.includes("NODE_MODULE_VERSION")) return error;
  const addon = /(node_modules\/[^'\n]+\.node|[^'\n/]+\.node)'/.exec(error.message)?.[1] ?? "a native addon";
  const message = `${addon} is built for another version of Node, and functions run on ${version}: run npm rebuild with that version and deploy again, or, where Berth runs on one machine, set BERTH_NODE to the Node that the addon is built for`;
  const frames = error.stack?.split("\n").filter((line) => /^\s+at /.test(line) && !line.includes("node:internal")) ?? [];
  return Object.assign(new Error(message), { stack: [`Error: ${message}`, ...frames].join("\n") });
}
