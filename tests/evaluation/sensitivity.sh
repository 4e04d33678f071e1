#!/usr/bin/env bash
# What becomes of each class under a worse tap and without each detector: short runs on the tuning seeds, a table in
# OUTPUT/sensitivity.md and its CSV. Runs that are there already are not played again.
#
# usage: sensitivity.sh EVALUATOR BOTS RUN OUTPUT
set -euo pipefail
evaluator=${1:?usage: sensitivity.sh EVALUATOR BOTS RUN OUTPUT} bots=${2:?} run=${3:?} output=${4:?}
rates=$(dirname "${BASH_SOURCE[0]}")/rates.tsv
detectors=(first-contact fan-out ratware rejections blocklist recipient-burst identity-rotation submission-spread
    socks-relay backconnect auth-guessing harvest backscatter open-relay mailbox surge)

# play NAME OPTION...
play() {
    local name=$1
    shift
    [ -s "$run/$name/facts.csv" ] && return
    mkdir -p "$run/$name"
    "$evaluator" --seeds tuning --rates "$rates" --bots "$bots" --each 8 --sites 0 --days 2 --warm 1 \
        --attack-days 2 --out "$run/$name" "$@" >"$run/$name/facts.new"
    mv "$run/$name/facts.new" "$run/$name/facts.csv"
}

play base
for loss in 0.001 0.01 0.1; do play "loss-$loss" --loss $loss; done
play one-direction --one-direction
for n in 10 100; do play "sampling-$n" --sampling $n; done
for detector in "${detectors[@]}"; do play "off-$detector" --off "$detector"; done

mapfile -t kinds < <(awk -F, '$3 == 1 && !seen[$2]++ {print $2}' "$run/base/scores.csv")
names=(base loss-0.001 loss-0.01 loss-0.1 one-direction sampling-10 sampling-100)
for detector in "${detectors[@]}"; do names+=("off-$detector"); done
echo "condition,class,parties,found,median_s" >"$output/sensitivity.csv"
for name in "${names[@]}"; do
    for kind in "${kinds[@]}"; do
        awk -F, -v k="$kind" '$2 == k && $5 == "postern" {print ($6 == "" ? "inf" : $6)}' "$run/$name/scores.csv" |
            sort -g | awk -v OFS=, -v n="$name" -v k="$kind" '{v[NR] = $1; if ($1 != "inf") f++}
                END {print n, k, NR, f + 0, v[int((NR + 1) / 2)]}'
    done
done >>"$output/sensitivity.csv"
{
    echo "# Sensitivity, on tuning seeds"
    echo
    echo "Made by \`tests/evaluation/sensitivity.sh\`; do not edit. Parties found of 8, and the median time; short runs of two days,"
    echo "so shares are coarse: a change of one party is none. *base* has no loss and all detectors. The analysis is told"
    echo "of the loss and not of sampling or of one direction, which a sensor would declare (\`coverage.h\`) and which would"
    echo "turn detectors off that cannot work so: these rows show what would come of an undeclared fault. False tickets"
    echo "under these conditions are in the last column, of 8 lines of each innocent kind (a model's figure)."
    echo
    printf '| condition |'
    printf ' %s |' "${kinds[@]}" "false tickets (a model's figure)"
    printf '\n|'
    printf -- '---|%.0s' "${kinds[@]}" 1 2
    echo
    for name in "${names[@]}"; do
        printf '| %s |' "$name"
        for kind in "${kinds[@]}"; do
            awk -F, -v n="$name" -v k="$kind" '$1 == n && $2 == k {
                t = $5 == "inf" ? "∞" : $5 < 600 ? int($5) " s" : $5 < 36000 ? int($5 / 60) " min" : int($5 / 3600) " h"
                printf " %d, %s |", $4, t}' "$output/sensitivity.csv"
        done
        awk -F, '$1 == 0 && $3 == "opened"' "$run/$name/verdicts.csv" | wc -l | sed 's/ *\(.*\)/ \1 |/'
    done
} >"$output/sensitivity.md"
