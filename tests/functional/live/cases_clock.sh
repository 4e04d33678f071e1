# shellcheck shell=bash
# What a sensor says of time: a clock that jumps, an hour by day without mail. The sensor's wall clock is the
# test's (clock.c), the packets' is the kernel's.

# The sensor's clock from now on: the machine's and SECONDS.
clock_ahead() { # 64 bits, least octet first
    local n=$1 i text=
    for i in 0 8 16 24 32 40 48 56; do text+=$(printf '\\x%02x' $((n >> i & 255))); done
    printf '%b' "$text" | dd of="$LIVE/clock" conv=notrunc status=none
}

# clock_sensor OPTION...: on span, with that clock.
clock_sensor() {
    : >"$LIVE/clock"
    truncate -s 8 "$LIVE/clock"
    clock_ahead 0
    export POSTERN_TEST_CLOCK=$LIVE/clock
    SENSOR_ENV=(LD_PRELOAD="$TESTS/libpostern_test_clock.so" ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0")
    sensor_start "$@"
    local rc=$?
    # shellcheck disable=SC2034 # of lib.sh
    SENSOR_ENV=()
    return "$rc"
}

# A time zone in which it is now HOUR o'clock.
zone_of() {
    local ahead=$((($1 - 10#$(date -u +%H) + 36) % 24 - 12))
    if [ "$ahead" -ge 0 ]; then echo "Etc/GMT-$ahead"; else echo "Etc/GMT+$((-ahead))"; fi
}

cases_clock_jump() {
    local status=0
    case_begin "clock jumps"
    span_up
    configure
    clock_sensor -i span -o "$LIVE/records" || return 0
    inject -r 4000 wire "$LIVE/plain.pcap"
    until_true counter_is packets "$FRAMES" || wrong "packets are missing"
    if has_problem clock; then wrong "a clock that stands is a problem"; fi
    clock_ahead 30
    until_true has_problem clock || wrong "a jump of the clock is no problem"
    must_say "$LIVE/sensor.log" "the clock jumped by [23][09][0-9]* ms; let NTP or PTP run"
    must_be "the state" "$(ask | jq -r .state)" degraded
    # Back behind what was seen: packet time would stand still.
    clock_ahead -3600
    wait "$SENSOR" || status=$?
    must_be "the exit status of a clock that went back" "$status" 75
    must_say "$LIVE/sensor.log" "went back behind packets that were seen"
    span_down
    case_end
}

# no_mail_at HOUR: an hour passes without mail from HOUR o'clock on; is it said?
no_mail_at() {
    span_up
    configure "leg: smarthost"
    sed -i "s,^  timezone:.*,  timezone: $(zone_of "$1")," "$LIVE/postern.yaml"
    clock_sensor -i span -o "$LIVE/records" || return 1
    sleep 1.5
    clock_ahead 3660
    until_true has_problem clock || wrong "the clock did not go"
    sleep 1.2
    ask | jq -e 'any(.problems[]; .code == "no-mail")' >/dev/null
}

cases_no_mail() {
    case_begin "no mail"
    if no_mail_at 2; then wrong "by night nobody expects mail"; fi
    sensor_stop
    no_mail_at 12 || wrong "an hour without mail by day is no problem"
    [ "$(ask | jq -r '.problems[] | select(.code == "no-mail") | .text' | wc -c)" -gt 40 ] || wrong "it has no sentence"
    inject -r 4000 wire "$LIVE/plain.pcap"
    until_true no_problem no-mail || wrong "mail comes again, and is not noticed"
    sensor_stop
    span_down
    case_end
}
no_problem() { ! has_problem "$1"; }
