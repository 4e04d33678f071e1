#!/usr/bin/env bats
# Series from a journal that is whole and one that is not; files that break; building anew; a daemon
# that follows. POSTERN_BIN is the folder of the programs, POSTERN_SCENARIO a small generated network.
# shellcheck disable=SC2154 # bats sets status, output, stderr, lines

bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    "$POSTERN_BIN/postern-generate" --scenario "$POSTERN_SCENARIO" --seed 11 -o x.pcap \
        --truth truth.jsonl --config-out postern.yaml
    "$POSTERN_BIN/postern-sensor" -c postern.yaml -r x.pcap -o records
    "$POSTERN_BIN/postern-collector" -c postern.yaml -r records -j journal
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    cp -r "$BATS_FILE_TMPDIR/journal" .
    series=$POSTERN_BIN/postern-series
    postern=$POSTERN_BIN/postern
}

teardown() {
    [ -z "${daemon:-}" ] || kill "$daemon" 2>/dev/null || true
}

# all RRD-DIR: every value of every series of the hour, to be compared
all() {
    local file name
    while read -r file; do
        name=$(basename "$file" .rrd)
        name=${name//_//}
        case $file in
        */subscriber/*) "$postern" series export "$name" -d "$1" --from 2026-03-02T09:30:00Z --to 2026-03-02T11:30:00Z ;;
        */site/*) "$postern" series export --kind site -d "$1" --from 2026-03-02T09:30:00Z --to 2026-03-02T11:30:00Z ;;
        esac
    done < <(find "$1" -name '*.rrd' | LC_ALL=C sort | awk 'NR % 4 == 1 || /site/')
}

@test "a whole journal gives series that fsck finds nothing in" {
    run -0 "$series" -j journal -d rrd --status status.json
    [ "$(jq -r .state status.json)" = ok ]
    run -0 "$postern" series fsck -d rrd
    [[ $output == *" 0 with faults" ]]
    all rrd >values
    grep -q ',[1-9][0-9]*,' values
    # A spoofed scan makes at most that many files a minute.
    "$series" -C -c /dev/null | grep -qx '  creations: 300'
}

@test "a damaged journal is named with file and offset, and ends with 65" {
    segment=$(find journal -name '*.pj' | LC_ALL=C sort | head -n 1)
    printf 'XXXXXXXX' | dd of="$segment" bs=1 seek=20000 conv=notrunc status=none
    run -65 --separate-stderr "$series" -j journal -d rrd --status status.json
    [[ $stderr == *"$(basename "$segment")"*octet* ]]
    [ "$(jq -r '.problems[0].code' status.json)" = journal-damaged ]
}

@test "no journal is 66, and says so" {
    run -66 --separate-stderr "$series" -j nowhere -d rrd
    [[ $stderr == *nowhere* ]]
}

@test "a broken file is named; a rebuild makes the same values again" {
    "$series" -j journal -d rrd
    all rrd >before
    file=$(find rrd/subscriber -name '*.rrd' | LC_ALL=C sort | head -n 1)
    truncate -s 1000 "$file"
    : >rrd/subscriber/left.rrd.new
    run -65 --separate-stderr "$postern" series fsck -d rrd
    [[ $output == *"$file"* ]]
    [[ $output == *"left over"* ]]
    run -0 "$postern" series rebuild -d rrd/ -j journal
    all rrd >after
    cmp before after
    run -0 "$postern" series fsck -d rrd
    [ ! -e rrd.new ]
    [ ! -e rrd.old ]
}

# Counts of librrd's head at 24 (sources), 32 (archives) and 40 (step); rows of the first archive at 1112.
@test "a damaged head ends no program: fsck names it, export says so, a rebuild mends it" {
    "$series" -j journal -d rrd
    all rrd >before
    file=$(find rrd/subscriber -name '*.rrd' | LC_ALL=C sort | head -n 1)
    name=$(basename "$file" .rrd)
    cp "$file" sound
    for at in 24 32 40 1112; do
        for octet in '\377' '\000'; do
            cp sound "$file"
            printf "$octet%.0s" 1 2 3 4 5 6 7 8 | dd of="$file" bs=1 seek="$at" conv=notrunc status=none
            run -65 --separate-stderr "$postern" series fsck -d rrd
            [[ $output == *"$file"* ]]
            run -74 "$postern" series export "${name//_//}" -d rrd
        done
    done
    run -0 "$postern" series rebuild --faulty -d rrd -j journal
    all rrd >after
    cmp before after
}

# older FILE VERSION: the file as that version of the layout made it
older() {
    local drop='^$'
    [ "$2" -gt 1 ] || drop='<cf>(HWPREDICT|SEASONAL|DEVSEASONAL|DEVPREDICT|FAILURES)'
    rrdtool dump "$1" | sed -E 's|<minimal_heartbeat>[0-9]+|<minimal_heartbeat>31622400|; s|<xff>[^<]*|<xff>0.5|' |
        awk -v RS='</rra>' -v ORS= -v drop="$drop" '$0 !~ drop { print (NR > 1 ? sep : "") $0; sep = "</rra>" }' >dump.xml
    grep -q '</rrd>' dump.xml || printf '</rra>\n</rrd>\n' >>dump.xml
    rrdtool restore -f dump.xml "$1"
}

@test "folders of older layouts are brought up to date with all their values" {
    "$series" -j journal -d rrd
    all rrd >before
    end=$(date -d 2026-03-02T11:00:00Z +%s)
    for version in 1 2; do
        while read -r file; do older "$file" $version; done < <(find rrd -name '*.rrd')
        if [ $version -eq 1 ]; then rm rrd/layout; else echo "2 full" >rrd/layout; fi
        run -65 --separate-stderr "$postern" series fsck -d rrd
        [[ $output == *"of an older layout; start postern-series once"* ]]
        all rrd >old
        cmp before old
        # One broken file holds up none of the others.
        cp -r rrd kept
        broken=$(find rrd/subscriber -name '*.rrd' | LC_ALL=C sort | head -n 1)
        echo none >"$broken"
        run -74 --separate-stderr "$series" -j journal -d rrd
        [[ $stderr == *"series are now of layout 3"* ]]
        [[ $stderr == *"1 files are broken, last: $broken: not an RRD file"* ]]
        cp "${broken/rrd/kept}" "$broken"
        older "$broken" 2
        rm -r kept
        # As if it had been interrupted before the end: it goes on.
        if [ $version -eq 1 ]; then rm rrd/layout; else echo "2 full" >rrd/layout; fi
        "$series" -j journal -d rrd
        [ "$(cut -d ' ' -f 1,2 rrd/layout)" = "3 full" ]
        since=$(cut -d ' ' -f 3 rrd/layout)
        [ "$since" -ge $((end - 120)) ] && [ "$since" -le $((end + 120)) ]
        run -0 "$postern" series fsck -d rrd
        all rrd >after
        cmp before after
        for file in rrd/site/*/*/site.rrd "$broken"; do
            [ "$(rrdtool info "$file" | grep -c '^rra\[.*xff = 9.999')" -eq 7 ]
        done
        [ "$(rrdtool info rrd/site/*/*/site.rrd | grep -c '^rra.*cf = "FAILURES"')" -eq 1 ]
    done
    # A layout to come is left alone.
    echo "4 full" >rrd/layout
    run -78 --separate-stderr "$series" -j journal -d rrd
    [[ $stderr == *"layout 4"* ]]
}

@test "what fsck finds a rebuild of the faulty alone mends" {
    "$series" -j journal -d rrd
    all rrd >before
    mapfile -t file < <(find rrd/subscriber -name '*.rrd' | LC_ALL=C sort)
    name=$(basename "${file[0]}" .rrd)
    cp "${file[1]}" "${file[0]}"                    # another's over this one
    printf 'behind' >>"${file[2]}"                  # more than there should be
    printf 'garbage\n' >>"${file[3]%rrd}notes"      # no note
    printf 'sight 1' >>"${file[4]%rrd}notes"        # torn
    rm "${file[5]}"                                 # gone, its notes are there
    cp rrd/site/*/*/site.rrd "${file[6]}"           # of another kind
    run -65 --separate-stderr "$postern" series fsck -d rrd
    [[ $output == *"${file[0]}: is another series' file"* ]]
    [[ $output == *"${file[2]}: 6 octets follow its last row"* ]]
    [[ $output == *"${file[3]%rrd}notes: line "*" is no note"* ]]
    [[ $output == *"${file[4]%rrd}notes: line "*" is no note"* ]]
    [[ $output == *"${file[5]}: is missing"* ]]
    [[ $output == *"${file[6]}: is another series' file"* ]]
    [[ $output == *" 6 with faults" ]]
    [[ $stderr == *"postern series rebuild --faulty"* ]]
    run -0 "$postern" series rebuild --faulty -d rrd -j journal
    [[ $output == *"6 of 6 series are made anew; the old files are in "*rrd.old ]]
    [ -e "rrd.old${file[2]#rrd}" ]
    rm -r rrd.old
    run -0 "$postern" series fsck -d rrd
    all rrd >after
    cmp before after
    # Nothing counts twice when the daemon goes on.
    "$series" -j journal -d rrd --status status.json
    [ "$(jq .counters.amendments status.json)" -eq 0 ]
    all rrd >after
    cmp before after
    # One by its name; and one whose earlier time the journal has not: unknown then, not silent.
    rm "${file[0]}"
    run -0 --separate-stderr "$postern" series rebuild --key "${name//_//}" -d rrd -j journal
    [[ $output == "1 of 1 series are made anew"* ]]
    rm -r rrd.old
    all rrd >after
    cmp before after
    head -c 17280 /dev/zero | sed 's/\x00\x00\x00\x00/\x00\x00\x00\x3c/g' >rrd/coverage/20260301.cov
    run -0 --separate-stderr "$postern" series rebuild --key "${name//_//}" -d rrd -j journal
    [[ $output == *"before the journal begins is unknown"* ]]
    "$postern" series export "${name//_//}" -d rrd --from 2026-03-01T20:00:00Z --to 2026-03-01T21:00:00Z >early
    [ "$(grep -c 'Z,0,0,0,,,' early)" -eq 60 ]
    rm -r rrd.old
    run -0 --separate-stderr "$postern" series rebuild --key 203.0.113.200 -d rrd -j journal
    [[ $output == *"the journal has nothing of it"* ]]
    run -0 --separate-stderr "$postern" series rebuild --faulty -d rrd -j journal
    [[ $output == "no series with faults" ]]
}

@test "a journal whose tail is torn loses no series in silence" {
    "$series" -j journal -d rrd
    all rrd >before
    segment=$(find journal -name '*.pj' | LC_ALL=C sort | tail -n 1)
    truncate -s $(($(stat -c %s "$segment") / 2)) "$segment"
    run "$postern" series rebuild -d rrd -j journal
    [ "$status" -eq 0 ] || [ "$status" -eq 65 ]
    [[ $output == *"the old files are kept as "*rrd.old* ]]
    [[ $output == *"series were there, or further, that the journal does not make: "* ]]
    rm -r rrd
    mv rrd.old rrd
    all rrd >after
    cmp before after
}

@test "words that mean nothing are an error, not passed over" {
    "$series" -j journal -d rrd
    for words in "fsck foo" "rebuild foo" "export 10.0.0.1 foo" "fsck --from now-1d" "export 10.0.0.1 --faulty" \
        "rebuild --step 60" "rebuild --kind pop" "rebuild --key 10.0.0.1 --faulty" "rebuild --key x --kind galaxy"; do
        # shellcheck disable=SC2086 # words
        run -64 --separate-stderr "$postern" series $words -d rrd
        [ -n "$stderr" ]
    done
    run -64 --separate-stderr "$postern" series rebuild 10.0.0.1 -d rrd
    [[ $stderr == *"--key NAME"* ]]
    run -64 --separate-stderr "$postern" journal dump journal --key foo
    [[ $stderr == *"--key foo: a subscriber is an address"* ]]
    run -64 --separate-stderr "$postern" journal dump journal --from yesterday
    run -64 --separate-stderr "$postern" journal stat journal --key 10.0.0.1
    [[ $stderr == *"dump alone"* ]]
}

@test "rebuild takes no other folder for one of series, and follows a link to its own" {
    "$series" -j journal -d rrd
    mkdir wrong && echo k >wrong/site.key
    run -64 "$postern" series rebuild -d wrong -j journal
    [[ $output == *"holds site.key"* ]]
    [ "$(cat wrong/site.key)" = k ]
    run -64 "$postern" series rebuild -d . -j journal
    ln -s rrd link
    run -0 "$postern" series rebuild -d link -j journal
    [ -L link ]
    [ -s rrd/layout ]
}

@test "files that are none are named, each with what is wrong; a rebuild keeps what it cannot make" {
    "$series" -j journal -d rrd
    mapfile -t file < <(find rrd/subscriber -name '*.rrd' | LC_ALL=C sort)
    : >"${file[0]}"
    echo hello >"${file[1]}"
    printf 'RRD\0009999' | dd of="${file[2]}" conv=notrunc status=none
    head -c 370640 /dev/urandom >"${file[3]}"
    rrdtool create "${file[4]}" --step 300 DS:x:GAUGE:600:U:U RRA:AVERAGE:0.5:1:10
    ln -sf /etc/hostname "${file[5]}"
    truncate -s 200000 "${file[6]}"
    run -65 --separate-stderr "$postern" series fsck -d rrd
    for i in 0 1 2 3 4 5 6; do
        [ "$(grep -c "^${file[$i]}: " <<<"$output")" -eq 1 ]
    done
    [[ $output == *" 7 with faults" ]]
    [[ $output == *"version 9999"* ]]
    [[ $output == *"another layout"* ]]
    # They are not read, nor written over; what is wrong is said.
    name=$(basename "${file[4]}" .rrd)
    run ! "$postern" series export "${name//_//}" -d rrd
    rm rrd/cursor
    run -74 --separate-stderr "$series" -j journal -d rrd
    [[ $stderr == *"could not be written"*rrd/subscriber/* ]]
    [ "$(cat "${file[1]}")" = hello ]
    # An older day, that the journal has not; files of another user, as of a daemon.
    : >rrd/coverage/20250101.cov
    [ "$(id -u)" -ne 0 ] || chown -R nobody rrd
    run -0 "$postern" series rebuild -d rrd -j journal
    [[ $output == *"kept as "*"rrd.old"* ]]
    [ -e rrd.old/coverage/20250101.cov ]
    [ "$(id -u)" -ne 0 ] || [ -z "$(find rrd ! -user nobody)" ]
    run -0 "$postern" series fsck -d rrd
    run -73 --separate-stderr "$postern" series rebuild -d rrd -j journal
    [[ $stderr == *"remove it first"* ]]
}

@test "run again, it repeats nothing" {
    "$series" -j journal -d rrd
    all rrd >before
    "$series" -j journal -d rrd --status status.json
    [ "$(jq .counters.minutes_written status.json)" -eq 0 ]
    [ "$(jq .counters.amendments status.json)" -eq 0 ]
    all rrd >after
    cmp before after
    # Nor when it does not know any more how far it had come.
    for damage in 'rm rrd/cursor' 'truncate -s 0 rrd/cursor' 'truncate -s 30 rrd/cursor'; do
        $damage
        "$series" -j journal -d rrd --status status.json
        [ "$(jq .counters.minutes_written status.json)" -eq 0 ]
        [ "$(jq .counters.amendments status.json)" -eq 0 ]
    done
    all rrd >after
    cmp before after
}

@test "the daemon follows, keeps others out, and ends at once" {
    mkdir run
    printf 'site:\n  run_directory: %s\nseries:\n  journal: %s\n  rrd: %s\n  poll: 100ms\n' \
        "$PWD/run" "$PWD/journal" "$PWD/rrd" >postern.yaml
    "$series" -c postern.yaml 2>log &
    daemon=$!
    for _ in $(seq 100); do
        ! grep -q 'caught up' log || break
        sleep 0.1
    done
    [ -s rrd/cursor ]
    run -69 --separate-stderr "$series" -j journal -d rrd
    [[ $stderr == *"stop it first"* ]]
    run -69 --separate-stderr "$postern" series rebuild -d rrd -j journal
    [[ $stderr == *"stop it first"* ]]
    # The journal is months old: how far it lay behind was said, and that it has caught up.
    grep -q ' s behind the journal, catching up' log
    grep -q 'caught up with the journal' log
    began=$(date +%s%N)
    kill "$daemon"
    wait "$daemon"
    [ $((($(date +%s%N) - began) / 1000000)) -lt 2000 ]
    daemon=
    # What the daemon had not settled the job writes.
    "$series" -j journal -d rrd
    all rrd >followed
    "$series" -j journal -d again
    all again >built
    cmp followed built
}

# at ADDRESS: the export of the hour
hour() {
    "$postern" series export "$1" -d rrd --from 2026-03-02T10:00:00Z --to 2026-03-02T11:00:00Z
}

@test "a sensor that falls silent leaves its own subscribers unknown, and nobody else's" {
    pcap=$BATS_FILE_TMPDIR/x.pcap
    # Half an hour of the packets behind one sensor, all of those behind the other.
    tcpdump -nn -r "$pcap" -w north.pcap 'net 10.20.0.0/16'
    tcpdump -nn -r "$pcap" -w - 'net 10.30.0.0/16' | editcap -B '2026-03-02 10:30:00Z' - south.pcap
    domain=1
    for name in north south; do
        (cat "$BATS_FILE_TMPDIR/postern.yaml" && printf 'sensor:\n  name: edge-%s\n  domain: %d\n' \
            $name $domain) >$name.yaml
        "$POSTERN_BIN/postern-sensor" -c $name.yaml -r $name.pcap -o $name.records
        domain=2
    done
    rm -r journal
    "$POSTERN_BIN/postern-collector" -c "$BATS_FILE_TMPDIR/postern.yaml" -r north.records \
        -r south.records -j journal
    "$series" -j journal -d rrd
    grep -l 'sight 0 edge-south' -r rrd/subscriber >behind_south
    checked=0
    while read -r file; do
        name=$(basename "$file" .notes)
        hour "${name//_//}" >values
        # end,observed,watched,loss,established,...: every minute of the first half known, none of the second.
        [ "$(grep -c 'Z,1,[1-6][0-9]*,[0-9]*,[0-9]' values)" -eq 30 ]
        [ "$(grep -c 'Z,0,0,0,,,' values)" -eq 30 ]
        checked=$((checked + 1))
    done <behind_south
    [ "$checked" -ge 4 ]
    file=$(grep -l 'sight 0 edge-north' -r rrd/subscriber | LC_ALL=C sort | head -n 1)
    name=$(basename "$file" .notes)
    hour "${name//_//}" >values
    [ "$(grep -c 'Z,1,[1-6][0-9]*,[0-9]*,[0-9]' values)" -eq 60 ]
    # By the hour: half of it was watched, and what was counted in that half is all there is to count.
    name=$(basename "$(head -n 1 behind_south)" .notes)
    hour "${name//_//}" | awk -F, 'NR > 1 { n += $5 } END { printf "%.6f\n", n }' >minutes
    "$postern" series export "${name//_//}" -d rrd --step 3600 --from 2026-03-02T10:00:00Z \
        --to 2026-03-02T11:00:00Z --json >by_hour
    [ "$(jq .minutes by_hour)" -eq 30 ]
    [ "$(jq .watched_s by_hour)" -ge 1740 ] && [ "$(jq .watched_s by_hour)" -le 1800 ]
    [ "$(jq '.average.established * .minutes * 1e3 | round' by_hour)" -eq "$(awk '{ print $1 * 1e3 }' minutes)" ]
    "$postern" series export --kind sensor edge-south -d rrd --from 2026-03-02T10:40:00Z \
        --to 2026-03-02T10:50:00Z >values
    [ "$(grep -c 'Z,0,0,0,,,' values)" -eq 10 ]
    [ "$(head -n 1 values | tr , '\n' | sort | uniq -d | wc -l)" -eq 0 ]
}

# What rrdcached holds is in no file yet: it would read as zero.
@test "export asks rrdcached for the minutes it holds, and says when it cannot" {
    mkdir cached run
    rrdcached -g -l "unix:$PWD/socket" -p "$PWD/pid" -j "$PWD/cached" -w 1800 -z 1800 -f 7200 2>cached.log &
    cached=$!
    for _ in $(seq 100); do [ ! -S socket ] || break; sleep 0.05; done
    printf 'site:\n  run_directory: %s\nseries:\n  journal: %s\n  rrd: %s\n  rrdcached: unix:%s\n  poll: 100ms\n' \
        "$PWD/run" "$PWD/journal" "$PWD/rrd" "$PWD/socket" >cached.yaml
    # A job writes files itself; the daemon writes through rrdcached.
    "$series" -c cached.yaml 2>log &
    daemon=$!
    for _ in $(seq 200); do ! grep -q 'caught up' log || break; sleep 0.1; done
    kill "$daemon"
    wait "$daemon"
    daemon=$cached
    "$series" -j journal -d plain
    file=$(grep -l sight -r plain/subscriber | LC_ALL=C sort | head -n 1)
    name=$(basename "$file" .notes)
    # Before the minutes that the daemon had not settled.
    range=(--from 2026-03-02T10:00:00Z --to 2026-03-02T10:45:00Z)
    "$postern" series export "${name//_//}" -d plain "${range[@]}" >want
    # Without being asked it has written nothing of them yet.
    "$postern" series export "${name//_//}" -d rrd "${range[@]}" >held
    run ! cmp -s want held
    "$postern" series export "${name//_//}" -c cached.yaml "${range[@]}" >got
    cmp want got
    kill "$cached"
    wait "$cached" || true
    daemon=
    run -69 --separate-stderr "$postern" series export "${name//_//}" -c cached.yaml "${range[@]}"
    [[ $stderr == *"rrdcached at unix:$PWD/socket: "*"read as zero"* ]]
    run -78 "$postern" series export "${name//_//}" -c nowhere.yaml
}

@test "a capture with a wrong clock between others is said, and a rebuild without it mends" {
    pcap=$BATS_FILE_TMPDIR/x.pcap
    "$series" -j journal -d whole
    rm -r journal
    editcap -B '2026-03-02 10:20:00Z' "$pcap" 1.pcap
    editcap -A '2026-03-02 10:20:00Z' -B '2026-03-02 10:40:00Z' "$pcap" middle.pcap
    editcap -t 157766400 middle.pcap 2.pcap
    editcap -A '2026-03-02 10:40:00Z' "$pcap" 3.pcap
    for part in 1 2 3; do
        "$POSTERN_BIN/postern-sensor" -c "$BATS_FILE_TMPDIR/postern.yaml" -r $part.pcap -o records.$part
        "$POSTERN_BIN/postern-collector" -c "$BATS_FILE_TMPDIR/postern.yaml" -r records.$part -j journal
        run --separate-stderr "$series" -j journal -d rrd --status status.json
        [ "$part" -eq 3 ] || [ "$(jq '.problems | length' status.json)" -eq 0 ]
    done
    [[ $stderr == *"goes on to 2031-"*"comes back to 2026-03-02T10:"* ]]
    [ "$(jq -r '.problems[0].code' status.json)" = clock ]
    # In one go it is the same.
    run -0 --separate-stderr "$series" -j journal -d once --status status.json
    [ "$(jq -r '.problems[0].code' status.json)" = clock ]
    for segment in journal/2031*.pj; do mv "$segment" "$segment.out"; done
    run -0 --separate-stderr "$postern" series rebuild -d rrd -j journal
    "$series" -j journal -d rrd --status status.json
    [ "$(jq '.problems | length' status.json)" -eq 0 ]
    run -0 "$postern" series fsck -d rrd
    "$postern" series export --kind site -d rrd --from 2026-03-02T10:00:00Z --to 2026-03-02T10:15:00Z >got
    "$postern" series export --kind site -d whole --from 2026-03-02T10:00:00Z --to 2026-03-02T10:15:00Z >want
    cmp got want
}

# status PATH: of the answer, whose body is in `body`
status() {
    curl -s -o body -w '%{http_code}' "http://127.0.0.1:$port$1"
}

@test "pages name the file that is gone or damaged beneath them, and what mends it" {
    mkdir state
    "$postern" replay "$BATS_FILE_TMPDIR/x.pcap" --config "$BATS_FILE_TMPDIR/postern.yaml" --state state >replayed
    mapfile -t notes < <(find state/rrd/subscriber -name '*.notes' ! -name '*[:_]*' | LC_ALL=C sort)
    gone=$(basename "${notes[0]}" .notes)
    short=$(basename "${notes[1]}" .notes)
    port=$((20000 + RANDOM % 20000))
    "$POSTERN_BIN/postern-web" --state state -l "127.0.0.1:$port" 2>log &
    daemon=$!
    for _ in $(seq 100); do
        ! curl -s -o body "http://127.0.0.1:$port/" || break
        sleep 0.1
    done
    series_of="/api/v1/series/subscriber?name="
    [ "$(status "$series_of$gone")" = 200 ]
    rm "${notes[0]%notes}rrd"
    truncate -s 1000 "${notes[1]%notes}rrd"
    for path in "$series_of" "/graph/subscriber/peers.svg?range=week&name=" /subscribers/; do
        [ "$(status "$path$gone")" = 500 ]
        grep -q "subscriber/.*$gone.rrd is gone; postern series rebuild --key $gone" body
        [ "$(status "$path$short")" = 500 ]
        grep -q "subscriber/.*$short.rrd is damaged; postern series fsck says how, rebuild --key $short" body
        [ "$(status "${path}203.0.113.9")" = 404 ]
    done
    # Said once a minute, not once an answer.
    [ "$(grep -c "$gone.rrd is gone" log)" -eq 1 ]
    # A step that there is not, and a lease that is none.
    for step in nonsense 61 -60 0 60x ""; do
        [ "$(status "${series_of}10.0.0.1&step=$step")" = 400 ]
    done
    name=$(basename "${notes[2]}" .notes)
    [ "$(status "$series_of$name&step=600")" = 200 ]
    [ "$(jq .step_s body)" -eq 600 ]
    [ "$(status "$series_of$name&step=60&range=month")" = 400 ]
    [ "$(status "/subscribers/$name?lease=xyz")" = 400 ]
    [ "$(status "/subscribers/$name?lease=all")" = 200 ]
}

@test "export says what it cannot do" {
    "$series" -j journal -d rrd
    run -66 "$postern" series export 203.0.113.9 -d rrd
    run -64 "$postern" series export -d rrd
    run -64 "$postern" series export 10.0.0.1 -d rrd --kind galaxy
    run -64 "$postern" series export --kind site -d rrd --step 61
    run -64 "$postern" series export --kind site -d rrd --from later
    run -64 "$postern" series mend
}
