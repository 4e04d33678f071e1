#!/usr/bin/env bash
# Every configuration key that a program knows stands in postern.yaml(5), and every key that stands
# there is known. What a program knows is what its --help prints of its tables.
# In the page a key is `.It Cm section.key`, an item of a list `.It Cm section.list[].key`.
# Usage: config_keys.sh TREE BUILD
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
build=${2:?usage: config_keys.sh TREE BUILD}
page=docs/man/postern.yaml.5

known=$(for program in "$build"/bin/postern-*; do
    [ -x "$program" ] || continue
    "$program" --help | awk -f "$HERE/config_keys.awk"
done | sort -u)
[ -n "$known" ] || skip 'no program has a configuration yet'
[ -f "$page" ] || {
    finding "$page: there is no such page"
    conclude '1 page'
}
documented=$(sed -nE 's/^\.It Cm ([a-z0-9_.\[-]+\]?[a-z0-9_.\[-]*\]?[a-z0-9_.-]*).*/\1/p' "$page" | sort -u)
while read -r key; do
    finding "$page: key $key is not documented (run: docs/man/update-keys BUILD)"
done < <(comm -23 <(printf '%s\n' "$known") <(printf '%s\n' "$documented") | grep . || true)
while read -r key; do
    finding "$page: key $key is documented, but no program knows it (run: docs/man/update-keys BUILD)"
done < <(comm -13 <(printf '%s\n' "$known") <(printf '%s\n' "$documented") | grep . || true)
conclude "$(wc -l <<<"$known") keys"
