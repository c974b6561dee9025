import { call, functionPath } from "../../data/api.ts";
import { formatAge } from "../../data/format.ts";
import type { FunctionAnswer, RevisionAnswer, RolloutAnswer } from "../../data/types.ts";
import { usePoll } from "../../data/use-poll.ts";
import { useAction } from "../../parts/action.ts";
import { ErrorNote } from "../../parts/error-note.tsx";

const MOST = 20;

/** Revisions with their shares, the current rollout, and what steers both. */
export function RevisionsPanel({ detail, mark }: { detail: FunctionAnswer; mark: string }) {
  const { data, error: unread } = usePoll<{ items: RevisionAnswer[] }>(functionPath(detail.name, "/revisions"), 5000, mark);
  const { isRunning, error, run } = useAction();
  const post = (below: string) => run(() => call("POST", functionPath(detail.name, below)));
  const activate = (active: string) => run(() => call("PUT", functionPath(detail.name, "/traffic"), { active }));
  const { rolling } = detail;
  const isRolling = rolling !== null && (rolling.state === "rolling" || rolling.state === "paused");
  const items = [...(data?.items ?? [])].reverse();
  return (
    <section class="card">
      <header>
        <h2>Revisions</h2>
        <button type="button" disabled={isRunning || isRolling || items.length < 2} onClick={() => void post("/rollback")}>
          Roll back
        </button>
      </header>
      {rolling && <RolloutBar rollout={rolling} isRunning={isRunning} steer={(verb) => void post(`/rollout/${verb}`)} />}
      <ErrorNote error={error ?? unread} />
      <table class="revisions">
        <thead>
          <tr>
            <th>Revision</th>
            <th class="num">Share</th>
            <th>Age</th>
            <th>Code</th>
            <th>Settings</th>
            <th />
          </tr>
        </thead>
        <tbody>
          {items.slice(0, MOST).map((revision) => (
            <Row key={revision.id} revision={revision} detail={detail}>
              {!revision.active && (
                <button type="button" disabled={isRunning || isRolling} onClick={() => void activate(revision.id)} aria-label={`Make ${revision.id} active`}>
                  Make active
                </button>
              )}
            </Row>
          ))}
        </tbody>
      </table>
      {items.length > MOST && (
        <p class="quiet">
          The latest {MOST} of {items.length} are shown.
        </p>
      )}
    </section>
  );
}

function Row({ revision, detail, children }: { revision: RevisionAnswer; detail: FunctionAnswer; children: preact.ComponentChildren }) {
  const { id, active, createdAt, code, env, secrets } = revision;
  const others = Object.values(detail.split).reduce((sum, percent) => sum + percent, 0);
  const share = active ? 100 - others : (detail.split[id] ?? 0);
  const aliases = Object.entries(detail.aliases).flatMap(([alias, to]) => (to === id ? [alias] : []));
  const kept = active ? 0 : (detail.minScales[id] ?? 0);
  return (
    <tr class={active ? "active" : ""}>
      <th>
        {id}
        {active && <span class="tag good">active</span>}
        {aliases.map((alias) => (
          <span key={alias} class="tag">
            @{alias}
          </span>
        ))}
        {kept > 0 && (
          <span class="tag" title="Instances that are kept of this revision (minScales)">
            keeps {kept}
          </span>
        )}
      </th>
      <td class="num">{share === 0 ? <span class="quiet">–</span> : `${share} %`}</td>
      <td title={createdAt}>{formatAge(Date.now() - Date.parse(createdAt))}</td>
      <td class="mono quiet" title={code}>
        {code.replace("sha256:", "").slice(0, 10)}
      </td>
      <td class="quiet detail">{[...Object.entries(env).map(([name, value]) => `${name}=${value}`), ...secrets.map((name) => `${name}=•••`)].join(" ")}</td>
      <td class="num">{children}</td>
    </tr>
  );
}

function RolloutBar({ rollout, isRunning, steer }: { rollout: RolloutAnswer; isRunning: boolean; steer: (verb: "pause" | "resume" | "undo") => void }) {
  const { from, to, state, step, steps, watching, percent, reason } = rollout;
  const isUnderWay = state === "rolling" || state === "paused";
  return (
    <div class={`rollout ${state}`}>
      <p>
        <b>{state}</b> {from} → {to}, {percent} %{isUnderWay && `, step ${step} of ${steps.join(", ")}`}
        {state === "rolling" && watching && <span class="quiet"> (observed)</span>}
      </p>
      <progress max={100} value={percent} aria-label={`Share of ${to}`} />
      {isUnderWay && (
        <span class="row">
          {state === "rolling" && (
            <button type="button" disabled={isRunning} onClick={() => steer("pause")}>
              Pause
            </button>
          )}
          {state === "paused" && (
            <button type="button" disabled={isRunning} onClick={() => steer("resume")}>
              Resume
            </button>
          )}
          <button type="button" disabled={isRunning} onClick={() => steer("undo")}>
            Undo
          </button>
        </span>
      )}
      {reason !== null && <p class="problem">{reason}</p>}
    </div>
  );
}
