import { useState } from "preact/hooks";
import { call, functionPath } from "../../data/api.ts";
import type { Answer, FunctionAnswer } from "../../data/types.ts";
import { type Action, useAction } from "../../parts/action.ts";
import { ErrorNote } from "../../parts/error-note.tsx";
import { PhaseBar } from "../../parts/phase-bars.tsx";

const METHODS = ["POST", "GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
/** Longer than the pool manager waits for its router. */
const WAIT_MS = 120_000;
const BODILESS = new Set(["GET", "HEAD"]);

/** A form that invokes the function, and its answer with what its time went to. */
export function InvokePanel({ detail }: { detail: FunctionAnswer }) {
  const [answer, setAnswer] = useState<Answer | null>(null);
  const action = useAction();
  return (
    <section class="card invoke">
      <header>
        <h2>Invoke</h2>
      </header>
      <InvokeForm detail={detail} action={action} answered={setAnswer} />
      <ErrorNote error={action.error} />
      {answer && !action.error && <AnswerView answer={answer} />}
    </section>
  );
}

function InvokeForm({ detail, action, answered }: { detail: FunctionAnswer; action: Action; answered: (answer: Answer | null) => void }) {
  const [method, setMethod] = useState("POST");
  const [path, setPath] = useState("/");
  const [body, setBody] = useState('{"name":"Ada"}');
  const [type, setType] = useState("application/json");
  const [revision, setRevision] = useState("");
  const isBodiless = BODILESS.has(method);
  const submit = (event: Event) => {
    event.preventDefault();
    const content = isBodiless || body === "" ? {} : { body, ...(type !== "" && { headers: { "content-type": type } }) };
    const asked = { method, path: path === "" ? "/" : path, ...content, ...(revision !== "" && { revision }) };
    void action.run(async () => {
      answered(null);
      answered(await call<Answer>("POST", functionPath(detail.name, "/invoke"), asked, WAIT_MS));
    });
  };
  const keys = (event: KeyboardEvent) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event);
  };
  const targets = [...new Set([...Object.keys(detail.split), ...Object.keys(detail.aliases)])];
  return (
    <form onSubmit={submit} onKeyDown={keys}>
      <div class="row">
        <select aria-label="Method" value={method} onChange={(event) => setMethod(event.currentTarget.value)}>
          {METHODS.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
        <input class="grow mono" aria-label="Path and query" value={path} onInput={(event) => setPath(event.currentTarget.value)} spellcheck={false} />
        {targets.length > 0 && (
          <select aria-label="Revision" value={revision} onChange={(event) => setRevision(event.currentTarget.value)}>
            <option value="">by traffic</option>
            {targets.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        )}
        <button type="submit" class="primary" disabled={action.isRunning} title="Ctrl+Enter">
          {action.isRunning ? "Waiting…" : "Invoke"}
        </button>
      </div>
      {!isBodiless && (
        <>
          <textarea aria-label="Body" rows={3} value={body} onInput={(event) => setBody(event.currentTarget.value)} spellcheck={false} class="mono" />
          <input aria-label="Content type" class="mono" value={type} onInput={(event) => setType(event.currentTarget.value)} spellcheck={false} />
        </>
      )}
    </form>
  );
}

function AnswerView({ answer }: { answer: Answer }) {
  const { status, start, revision, callId, headers, body, isBase64, truncated, totalMs, phases } = answer;
  return (
    <div class="answer" aria-live="polite">
      <p>
        <b class={status >= 500 ? "bad" : status >= 400 ? "warn" : "good"}>{status}</b>
        {start !== null && <span class={`tag ${start}`}>{start}</span>}
        {revision !== null && <span class="quiet"> {revision}</span>}
        {callId !== null && <span class="quiet mono"> {callId}</span>}
      </p>
      {phases && <PhaseBar phases={phases} totalMs={totalMs} />}
      <pre class="body">{shown(body, isBase64)}</pre>
      {isBase64 && <p class="quiet">The body is no text: it is shown as base64.</p>}
      {truncated && <p class="quiet">The body is longer than 256 KiB: the rest is left out.</p>}
      <details>
        <summary>{headers.length} headers</summary>
        <pre>{headers.map(([name, value]) => `${name}: ${value}`).join("\n")}</pre>
      </details>
    </div>
  );
}

function shown(body: string, isBase64: boolean): string {
  if (isBase64 || !/^\s*[[{]/.test(body) || body.length > 50_000) return body;
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}
