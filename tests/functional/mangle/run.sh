#!/usr/bin/env bash
# Runs run.mjs, or says that there is nothing to run it with.
set -euo pipefail
if ! command -v node >/dev/null 2>&1; then
    printf 'skipped: node is not installed (scripts/setup installs it)\n'
    exit 77
fi
exec node "$(dirname "${BASH_SOURCE[0]}")/run.mjs" "$@"
