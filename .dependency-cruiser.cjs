/** The import edges that keep the parts apart. */
module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true, dependencyTypesNot: ["type-only"] } },
    {
      name: "pool-imports-no-adapter",
      comment: "decisions know the platform port, not who is behind it",
      severity: "error",
      from: { path: "^pool-manager/pool/" },
      to: { path: "^pool-manager/platform/(?!platform\\.ts$)" },
    },
    {
      name: "router-sees-only-the-client",
      severity: "error",
      from: { path: "^router/" },
      to: { path: "^pool-manager/(?!client/)" },
    },
    {
      name: "router-and-manager-see-only-the-protocol",
      severity: "error",
      from: { path: "^(router|pool-manager)/" },
      to: { path: "^runtime-images/(?!protocol/)" },
    },
    {
      name: "runtimes-import-only-the-protocol",
      severity: "error",
      from: { path: "^runtime-images/([^/]+)/" },
      to: { path: "^(pool-manager|router|cli|bench|test)/|^runtime-images/(?!protocol/|$1/)" },
    },
    { name: "manager-knows-no-router", severity: "error", from: { path: "^pool-manager/" }, to: { path: "^(router|cli|bench|test)/" } },
    { name: "no-tests-in-the-product", severity: "error", from: { path: "^(pool-manager|router|cli|bench)/" }, to: { path: "^test/" } },
  ],
  options: { doNotFollow: { path: "node_modules" }, tsPreCompilationDeps: true, tsConfig: { fileName: "tsconfig.json" } },
};
