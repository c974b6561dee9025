#!/usr/bin/env bash
# Asks the manage API at random, from its own OpenAPI document: installs Schemathesis beside the other caches, then
# starts run.ts. Arguments and variables are those of run.ts.
set -euo pipefail
cd "$(dirname "$0")"

venv=${XDG_CACHE_HOME:-$HOME/.cache}/berth-schemathesis
if ! cmp -s requirements.txt "$venv/requirements.txt"; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement requirements.txt
  # Last: an installation that was broken off begins anew.
  cp requirements.txt "$venv/"
fi
cd ../..
node build.mjs
exec node --import tsx test/api-fuzz/run.ts "$venv/bin/schemathesis" "$@"
