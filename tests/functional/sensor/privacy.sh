#!/usr/bin/env bash
# Recipients, senders, HELO names, users, passwords and subjects of generated and shared captures are looked
# for in the sensor's memory, records, status and flows, under each legal profile.
# Usage: privacy.sh SHARED-FOLDER PRIVACY GENERATE SCENARIOS
set -euo pipefail
shared=${1:?usage: privacy.sh SHARED-FOLDER PRIVACY GENERATE SCENARIOS}
privacy=${2:?} generate=${3:?} scenarios=${4:?}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

"$generate" --scenario "$scenarios/hour.yaml" --minutes 20 -o "$scratch/generated.pcap" 2>/dev/null
captures=("$scratch/generated.pcap")
if [ -f "$shared/captures/index.tsv" ]; then
    # Dialogues that carry names; what other captures hold is looked for in those of their kind.
    while IFS= read -r capture; do captures+=("$shared/captures/$capture"); done < <(
        awk -F '\t' 'NR > 1 && ($7 " " $3) ~ /smtp|socks|mail|pop|imap|ftp/ { print $3 }' "$shared/captures/index.tsv")
else
    echo "no captures in $shared: the generated one alone"
fi

status=0
for profile in full-envelope own-smarthost-content flow-only; do
    # What is not looked at is shown by a third of them.
    some=()
    for i in "${!captures[@]}"; do
        if [ "$profile" = full-envelope ] || [ $((i % 3)) -eq 0 ]; then some+=("${captures[i]}"); fi
    done
    "$privacy" -x "$here/privacy.tsv" "$profile" "${some[@]}" >"$scratch/out" 2>"$scratch/err" || status=1
    tail -n 1 "$scratch/out"
    if grep -aE 'FOUND|copy of all|[1-9][0-9]* records say' "$scratch/out"; then status=1; fi
done
# The site's own smarthosts: everything is a smarthost here, so that all is read, and nothing is kept.
"$privacy" -s 0.0.0.0/0 own-smarthost-content "$scratch/generated.pcap" >"$scratch/out" 2>&1 || status=1
tail -n 1 "$scratch/out"
exit "$status"
