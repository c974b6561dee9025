import { useState } from "preact/hooks";
import { type CodeFile, deploy } from "../data/deploy.ts";
import { linkTo } from "../data/route.ts";
import { useAction } from "../parts/action.ts";
import { ErrorNote } from "../parts/error-note.tsx";

/** Languages that run from their sources, and a first function in each. */
const LANGUAGES = {
  node: {
    label: "JavaScript",
    file: "index.mjs",
    code: 'export default {\n  async fetch(request) {\n    const name = new URL(request.url).searchParams.get("name") ?? "world";\n    return Response.json({ hello: name });\n  },\n};\n',
  },
  python: {
    label: "Python",
    file: "main.py",
    code: 'def lambda_handler(event, context):\n    name = (event.get("queryStringParameters") or {}).get("name", "world")\n    return {"statusCode": 200, "body": "hello " + name}\n',
  },
} as const;
type Runtime = keyof typeof LANGUAGES;

/** A form that deploys code that is typed here, or a directory of this machine as it is. */
export function DeployPanel() {
  const [name, setName] = useState("");
  const [runtime, setRuntime] = useState<Runtime>("node");
  const [codes, setCodes] = useState<Record<Runtime, string>>({ node: LANGUAGES.node.code, python: LANGUAGES.python.code });
  const [directory, setDirectory] = useState<readonly File[]>([]);
  const [deployed, setDeployed] = useState<{ name: string; revision: string } | null>(null);
  const action = useAction();
  const submit = (event: Event) => {
    event.preventDefault();
    void action.run(async () => {
      setDeployed(null);
      const typed: CodeFile[] = [{ path: LANGUAGES[runtime].file, data: new TextEncoder().encode(codes[runtime]) }];
      const revision = await deploy(name, runtime, directory.length > 0 ? await filesOf(directory) : typed);
      setDeployed({ name, revision });
    });
  };
  return (
    <section class="card deploy" aria-label="Deploy">
      <header>
        <h2>Deploy</h2>
        <span class="quiet">
          code that runs from its sources; <code>berth deploy</code> bundles TypeScript and packages
        </span>
      </header>
      <form onSubmit={submit}>
        <div class="row">
          <input
            class="grow"
            aria-label="Name of the function"
            placeholder="name"
            required
            value={name}
            onInput={(event) => setName(event.currentTarget.value.trim())}
            spellcheck={false}
          />
          <select aria-label="Language" value={runtime} onChange={(event) => setRuntime(event.currentTarget.value as Runtime)}>
            {Object.entries(LANGUAGES).map(([value, { label }]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
          <button type="submit" class="primary" disabled={action.isRunning}>
            {action.isRunning ? "Deploying…" : "Deploy"}
          </button>
        </div>
        {directory.length === 0 && (
          <textarea
            aria-label={LANGUAGES[runtime].file}
            rows={8}
            class="mono"
            spellcheck={false}
            value={codes[runtime]}
            onInput={(event) => setCodes({ ...codes, [runtime]: event.currentTarget.value })}
          />
        )}
        <label class="quiet">
          or a directory with {LANGUAGES[runtime].file}:{" "}
          <input
            type="file"
            aria-label="Directory"
            multiple
            {...{ webkitdirectory: true }}
            onChange={(event) => setDirectory([...(event.currentTarget.files ?? [])])}
          />
        </label>
      </form>
      <ErrorNote error={action.error} />
      {deployed && (
        <p role="status" class="good">
          <a href={linkTo(deployed.name)}>{deployed.name}</a> serves {deployed.revision}.
        </p>
      )}
    </section>
  );
}

/** The paths below the directory that was chosen, whose own name comes first in them. */
function filesOf(files: readonly File[]): Promise<CodeFile[]> {
  return Promise.all(
    files.map(async (file) => ({
      path: file.webkitRelativePath.split("/").slice(1).join("/") || file.name,
      data: new Uint8Array(await file.arrayBuffer()),
    })),
  );
}
