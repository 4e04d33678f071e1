#!/usr/bin/env bash
# What becomes of each class and of the innocents under a worse tap, in the tiers in which sites see, without each detector,
# and with each rate of the generator halved and doubled: short runs on the tuning seeds, then sensitivity.md and its
# CSV files. Runs that are there already are not played again. All of it is eight to nine minutes of a core.
#
# usage: sensitivity.sh EVALUATOR BOTS RUN OUTPUT [JOBS]
set -euo pipefail
evaluator=${1:?usage: sensitivity.sh EVALUATOR BOTS RUN OUTPUT [JOBS]} bots=${2:?} run=${3:?} output=${4:?} jobs=${5:-1}
here=$(dirname "${BASH_SOURCE[0]}")
# A detector is a line of the registry.
mapfile -t detectors < <(sed -n 's/^ *&detector_\([a-z_]*\),$/\1/p' "$here/../../analysis/registry.c" | sed 's/_/-/g')
bot=fast_plain,fast_tls,slow_plain,slow_tls,crafty
guilty=$bot,smarthost,account,socks,backconnect,guesser,guesser_tls,backscatter,harvester,open_relay
guilty=$guilty,fast_blocked,slow_blocked,real,real_blocked
server=mail_server,new_server,newsletter,stale_list,forwarder,mailing_list,callouts,dead_queue,hybrid_exchange,greylisted
odd=stale_phone,device_retry,bcc_club,office,vpn,monitor,zmap,migration,password_manager,autodiscovery,phones,client25
odd=$odd,direct_device,hobby_server,resolver,reconnects,dead_smarthost,school
given=()
if [ -n "$(find "$bots" -maxdepth 1 -name '*.csv' 2>/dev/null | head -1)" ]; then given=(--bots "$bots"); fi

# settle N: until at most N plays go on; the end when one has failed.
settle() {
    while [ "$(jobs -rp | wc -l)" -gt "$1" ]; do wait -n; done
}

# play NAME OPTION...: in the background, at most JOBS at once, each name once.
declare -A begun
play() {
    local name=$1
    shift
    if [ -s "$run/$name/facts.csv" ] || [ -n "${begun[$name]:-}" ]; then return; fi
    begun[$name]=yes
    settle $((jobs - 1))
    mkdir -p "$run/$name"
    {
        "$evaluator" --seeds tuning --rates "$here/rates.tsv" --out "$run/$name" "$@" >"$run/$name/facts.new"
        mv "$run/$name/facts.new" "$run/$name/facts.csv"
    } &
}
# Five of each class and of each odd kind, two days.
few=(--each 5 --sites 0 --days 2 --warm 1 --attack-days 2)
tap() { play "tap-$1" "${few[@]}" "${given[@]}" --only "$guilty,$server,$odd" "${@:2}"; }

tap base
for loss in 0.001 0.01 0.1; do tap "loss-$loss" --loss $loss; done
for n in 10 100; do
    tap "sampling-1:$n" --sampling $n
    tap "sampling-1:$n-undeclared" --sampling $n --undeclared
done
tap one-direction --one-direction
tap one-direction-undeclared --one-direction --undeclared
tap "packets" --no-log
tap "tier-a" --tier-a
tap "flow-only" --flow-only --no-log
tap "export-1:100" --export --no-log --sampling 100
for detector in "${detectors[@]}"; do
    play "off-$detector" "${few[@]}" "${given[@]}" --only "$guilty" --off "$detector"
done

# rate KEY KINDS [OPTION...]: by half and twofold, against the same lines with the rate as it is. Three of each.
fewer=(--each 3 --sites 0 --days 2 --warm 1 --attack-days 2)
rate() {
    local key=$1 kinds=$2 group options=("${@:3}")
    [ "${#options[@]}" -gt 0 ] || options=("${fewer[@]}")
    group=$(printf '%s ' "$kinds" "${options[@]}" | sha256sum | cut -c1-8)
    play "rates-$group" "${options[@]}" --only "$kinds"
    for factor in 0.5 2; do play "rate-$key-$factor" "${options[@]}" --only "$kinds" --scale "$key=$factor"; done
    printf '%s,%s\n' "$key" "$group" >>"$run/rates.new"
}
homes=(--each 0 --sites 1 --days 3 --warm 1)
rm -f "$run/rates.new"
for key in mx_dead mx_greylist mx_bounce mx_tls server_sends_an_hour server_gets_an_hour server_providers; do
    rate $key $server,hobby_server,client25,direct_device
done
rate school_users school
rate mx_bounce_stale stale_list
for key in newsletter_recipients newsletter_a_week; do rate $key newsletter,stale_list; done
rate callouts_an_hour callouts
rate list_recipients mailing_list
rate forwards_an_hour forwarder
for key in deadqueue_providers deadqueue_a_minute; do rate $key dead_queue; done
rate retry_a_minute device_retry
rate stale_phone_a_hour stale_phone
rate bcc_recipients bcc_club
rate office_users office
rate migration_logins migration
for key in probe_servers probe_a_minute; do rate $key monitor; done
rate zmap_syns zmap
rate phone_polls_a_day phones
rate client25_a_day client25
rate device_mails_a_day direct_device
for key in hobby_sends_a_day hobby_providers; do rate $key hobby_server; done
rate resolver_mx_a_day resolver
rate exit_flows_an_hour tor_exit
rate reconnect_hours reconnects
rate hybrid_an_hour hybrid_exchange
rate cgnat_lines cgnat
rate fast_a_minute fast_plain,fast_tls,fast_blocked
rate bot_hours fast_plain,fast_tls,fast_blocked
rate slow_an_hour slow_plain,slow_tls,slow_blocked
for key in crafty_an_hour crafty_providers; do rate $key crafty; done
for key in bot_dead bot_refused bot_turned_away bot_unknown_rcpt bot_listed bot_quirk bot_tls_empty; do
    rate $key $bot,smarthost,socks,open_relay
done
rate smarthost_a_minute smarthost
for key in account_networks account_recipients; do rate $key account; done
rate socks_an_hour socks
rate back_an_hour backconnect
for key in guess_an_hour guess_dead; do rate $key guesser,guesser_tls; done
rate bounce_an_hour backscatter
rate harvest_an_hour harvester
rate openrelay_an_hour open_relay
# Whole sites last: they take longest.
for key in home_reads_a_day home_sends_a_day home_smarthost home_accounts home_recipients home_login_error \
    home_scanned_a_day home_surf_a_day smarthost_chance boot_chance boot_minutes renumber_chance; do
    rate $key household "${homes[@]}"
done
for key in provider_chance provider_minutes patch_chance patch_share patch_minutes home_pupil lease_lost \
    lease_lost_minutes print_tail; do
    rate $key household,$server --each 3 --sites 1 --days 4 --warm 1
done
for key in outage_chance outage_minutes; do rate $key household,$server --each 3 --sites 1 --days 4 --warm 1; done
settle 0
for name in "${!begun[@]}"; do
    [ -s "$run/$name/facts.csv" ] || {
        echo "sensitivity.sh: $name was not played to its end" >&2
        exit 70
    }
done
# Every rate but the size of a site has been played.
missing=$(awk -F'\t' 'FNR == NR {split($0, k, ","); seen[k[1]] = 1; next}
    !/^#/ && $1 != "lines" && !seen[$1] {print $1}' "$run/rates.new" "$here/rates.tsv")
if [ -n "$missing" ]; then
    echo "sensitivity.sh: rates nobody scales: $missing" >&2
    exit 65
fi
mv "$run/rates.new" "$run/rates.csv"
mkdir -p "$output"
node "$here/sensitivity.mjs" "$run" "$output"
