import { useEffect, useRef } from "preact/hooks";
import { keepKey } from "../data/api.ts";
import { connect } from "../streams/overview-link.ts";

/** Asks for the key that the API requires. */
export function KeyForm({ reason }: { reason: string }) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);
  const submit = (event: Event) => {
    event.preventDefault();
    const key = input.current?.value.trim() ?? "";
    if (key === "") return;
    keepKey(key);
    connect();
    if (input.current) input.current.value = "";
  };
  return (
    <form class="card key" onSubmit={submit}>
      <h1>This pool manager requires a key</h1>
      {reason !== "" && (
        <p class="error" role="alert">
          {reason}
        </p>
      )}
      <label for="key">Key with the role manage</label>
      <div class="row">
        <input ref={input} id="key" type="password" autocomplete="off" spellcheck={false} required />
        <button type="submit" class="primary">
          Open
        </button>
      </div>
      <p class="quiet">
        <code>berth key</code> creates keys. This one is kept in this tab until it is closed, and sent to this pool manager only.
      </p>
    </form>
  );
}
