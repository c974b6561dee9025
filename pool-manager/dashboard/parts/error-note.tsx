import type { ApiError } from "../data/api.ts";

/** An error as the API words it, with the way to mend it. */
export function ErrorNote({ error }: { error: ApiError | null }) {
  if (!error) return null;
  return (
    <p class="error" role="alert">
      <strong>{error.code}</strong> {error.message}
      {error.fix !== "" && <span class="fix">{error.fix}</span>}
    </p>
  );
}
