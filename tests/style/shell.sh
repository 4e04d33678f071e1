#!/usr/bin/env bash
# Runs shellcheck on every script of the tree, by name or by first line.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need shellcheck

mapfile -t files < <(shell_scripts | sort -u)
while read -r line; do finding "$line"; done < <(
    printf '%s\0' "${files[@]}" | xargs -0 -r -n 8 -P 2 \
        shellcheck --format=gcc --external-sources --source-path=SCRIPTDIR --exclude=SC1091 || true
)
conclude "${#files[@]} scripts"
