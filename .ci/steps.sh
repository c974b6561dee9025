# The steps of `.ci/run` and `.ci/release`, which source this file with `set -euo pipefail`.

# Runs a command within a bound; a failure ends the run. The file `$log`, if there is one, gets the output of the latest step.
step() { # step SECONDS NAME COMMAND…
  local bound=$1 name=$2 began=$SECONDS
  shift 2
  printf '\n== %s\n' "$name"
  if ! timeout --kill-after=20 "$bound" "$@" 2>&1 | tee "${log:-/dev/null}"; then
    printf '%s failed (bound: %s s)\n' "$name" "$bound"
    exit 1
  fi
  printf -- '-- %s: %s s\n' "$name" "$((SECONDS - began))"
}
