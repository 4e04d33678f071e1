#!/usr/bin/env bash
# Calls that are unsafe, hide state, read the clock or cast wire bytes do not stand in the code. The
# table banned.tsv says which, where they may, and what to use instead.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

scratch=$(mktemp)
trap 'rm -f "$scratch"' EXIT
mapfile -t files < <(c_files)
c_code "${files[@]}" >"$scratch"

while IFS=$'\t' read -r pattern allowed instead; do
    case $pattern in '' | '#'*) continue ;; esac
    [ -n "$instead" ] || finding "banned.tsv: a line without its three fields: $pattern"
    while IFS=: read -r file line code; do
        [[ $code =~ ^[[:space:]]*# ]] && continue # a macro's name, an #include
        if [ "$allowed" != - ] && [[ $file =~ $allowed ]]; then continue; fi
        finding "$file:$line: $(grep -oE -m 1 "$pattern" <<<"$code" | head -n 1) is not used here; use $instead"
    done < <(grep -E "^[^:]+:[0-9]+:.*($pattern)" "$scratch" || true)
done <"$HERE/banned.tsv"
conclude "${#files[@]} C files"
