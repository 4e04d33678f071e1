# shellcheck shell=bash
# A journald of its own takes real lines, one by one; the sensor follows it by journalctl, is ended and begun again.
# What it tells is what the same lines say as a file.

# into_journal LINES: as Postfix would by syslog(3)
into_journal() {
    local line
    while IFS= read -r line; do
        [[ $line =~ ^[A-Za-z]{3}\ [\ 0-9]{2}\ [0-9:]{8}\ [^\ ]+\ ([^\ []+)\[([0-9]+)\]:\ (.*)$ ]] || continue
        logger -u /run/systemd/journal/dev-log -p mail.info -t "${BASH_REMATCH[1]}" --id="${BASH_REMATCH[2]}" -- "${BASH_REMATCH[3]}"
    done <"$1"
}

follow_journal() {
    "$BIN/postern-sensor" -c journal.yaml --mail-log -o "$1" --status "$1.status" 2>"$1.err" &
    SENSOR=$!
    # The first time journalctl begins at the end that there is by then.
    wait_for "the sensor of the journal" attached
}

attached() {
    logger -u /run/systemd/journal/dev-log -p mail.info -t postfix/master "attached"
    sleep 0.3
    jq -e '.journal // "" | length > 0' journal-state.json
}

# All that went in has come out.
end_journal() {
    wait_for "the journal's end" grep -qF "$(journalctl -D /run/log/journal -o json -n 1 SYSLOG_FACILITY=2 --no-pager | jq -r .__CURSOR)" journal-state.json
    kill -TERM "$SENSOR"
    wait "$SENSOR" || wrong "the sensor of the journal ended with $?"
}

# Of every party what does not depend on where the restart fell: whoever has connected is told then, before TLS.
sums() { # ROWS
    jq -sS '[.[] | select(.kind == "row") | {(.subscriber): (.counters["smarthost/out"] // {}
            | with_entries(select(.key | test("^(connections|messages_|auth|filter_)"))))}]
        | map(to_entries[] | .key as $who | .value | to_entries[] | {key: ($who + " " + .key), value})
        | group_by(.key) | map({(.[0].key): (map(.value) | add)}) | add' "$1"
}

mkdir -p /run/systemd/journal /run/log/journal
if ! [ -s /etc/machine-id ]; then
    tr -d - </proc/sys/kernel/random/uuid >machine-id
    touch /etc/machine-id
    mount --bind machine-id /etc/machine-id
fi
/lib/systemd/systemd-journald >journald.out 2>&1 &
wait_for "journald" test -S /run/systemd/journal/dev-log
sed "s|^    files: .*|    journal: true\n    journal_command: $(command -v journalctl)|; s|state.json|journal-state.json|; /mailbox_map/d" \
    postern.yaml >journal.yaml
grep -a 'smtpd\|cleanup\|qmgr' all.log >part.log
head -40 part.log >part.1
sed -n 41,80p part.log >part.2
sed -n 81,120p part.log >part.3
follow_journal journal1.rec
into_journal part.1
end_journal
into_journal part.2 # nobody looks
follow_journal journal2.rec
into_journal part.3
end_journal
minutes journald journal1.rec journal2.rec
cat part.1 part.2 part.3 >part.log
"$BIN/postern-sensor" -c postern.yaml --mail-log -r part.log -o part.rec 2>part.err || wrong "$(cat part.err)"
minutes part part.rec
sums part.rows >part.sums
sums journald.rows >journald.sums
[ "$(jq length part.sums)" -gt 10 ] || wrong "too little in the journal's part"
diff part.sums journald.sums || wrong "the journal says something else than the file"
