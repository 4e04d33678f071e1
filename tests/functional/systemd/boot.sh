#!/usr/bin/env bash
# Postern as installed, started by systemd itself: a container boots from this machine's own files (an
# overlay; nothing of the machine is written), Postern is installed into it and set up by `postern setup`, and
# an operator's day goes by: start, a bot, a mail log that is followed, a good and a bad reload, a killed program, one
# that hangs, stop.
# usage: boot.sh BUILD INJECT      INJECT: postern-inject
# Says that it skips (77) where no container can be booted.
set -euo pipefail
build=$(realpath "${1:?usage: boot.sh BUILD INJECT}")
inject=$(realpath "${2:?usage: boot.sh BUILD INJECT}")
. "$(dirname "${BASH_SOURCE[0]}")/../own.sh"
need_root "a container"
need_commands systemd-nspawn dbus-daemon ip curl nsenter
# In a chroot the root is no mount of its own.
unshare --mount --propagation private true 2>/dev/null || skip "no name space for mounts can be made here (a chroot?)"
if [ -z "${POSTERN_BOOT:-}" ]; then # all mounts below end with this name space
    POSTERN_BOOT=1 exec unshare --mount --propagation private -- "$0" "$@"
fi

top=$(mktemp -d /tmp/postern-boot.XXXXXX)
nspawn=
leave() {
    if [ -n "$nspawn" ]; then
        kill -KILL "$leader" 2>/dev/null || true # the container's init: everything in it ends
        wait "$nspawn" 2>/dev/null || true
    fi
    umount -l "$top/root" 2>/dev/null || true
    umount -l "$top" 2>/dev/null || true
    rmdir "$top" 2>/dev/null || true
}
leader=0
trap leave EXIT
mount -t tmpfs -o size=1500m,mode=755 postern-boot "$top" || skip "no tmpfs can be mounted here"
mkdir "$top/upper" "$top/work" "$top/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$top/upper,workdir=$top/work" "$top/root" 2>/dev/null ||
    skip "no overlay can be mounted here"
root=$top/root
rm -f "$root/etc/machine-id"
rm -rf "$root/etc/postern" "$root/var/lib/postern" "$root/var/log/journal"
DESTDIR=$root cmake --install "$build" --prefix /usr/local >"$top/install.log"
cp "$inject" "$root/usr/local/bin/postern-inject"
mkdir -p "$root/tmp" "$root/etc/systemd/system/postern-analysis.service.d"
printf '[Service]\nWatchdogSec=4\n' >"$root/etc/systemd/system/postern-analysis.service.d/test.conf"
for unit in sensor@ collector series analysis feed web mail-log; do
    mkdir -p "$root/etc/systemd/system/postern-$unit.service.d"
    # A sanitizer's look for leaks traces the process, which the units forbid.
    printf '[Service]\nEnvironment=ASAN_OPTIONS=detect_leaks=0\n' >"$root/etc/systemd/system/postern-$unit.service.d/asan.conf"
done
{
    printf 'start_s,peer,port,src_port,packets_out,octets_out,packets_in,octets_in,duration_s\n'
    for n in $(seq 0 29); do
        printf '%d.200,203.%d.113.25,25,%d,3,186,0,0,3.000\n' "$n" $((n + 1)) $((20000 + n))
    done
} >"$top/bot.csv"
"$build/bin/postern-generate" --inject "$top/bot.csv@10.0.0.5" -o "$root/bot.pcap" 2>/dev/null

# Of itself systemd-nspawn keeps what is in it from landlock.
systemd-nspawn --system-call-filter="landlock_create_ruleset landlock_add_rule landlock_restrict_self" -D "$root" --boot --register=no --keep-unit --private-network --console=read-only \
    -M "postern-boot-$$" systemd.unit=basic.target >"$top/boot.log" 2>&1 </dev/null &
nspawn=$!
for _ in $(seq 100); do
    kill -0 "$nspawn" 2>/dev/null || break
    leader=$(pgrep -P "$nspawn" | head -1 || echo 0)
    if [ -n "$leader" ] && nsenter -t "$leader" -a systemctl is-active -q basic.target 2>/dev/null; then break; fi
    sleep 0.3
done
within() { nsenter -t "$leader" -a env "ASAN_OPTIONS=detect_leaks=0" "PATH=/usr/local/sbin:/usr/local/bin:$PATH" "$@"; }
if ! kill -0 "$nspawn" 2>/dev/null || ! within systemctl is-active -q basic.target; then
    skip "no container can be booted here: $(tail -n 1 "$top/boot.log" | tr -d '\r')"
fi

wrong() {
    printf 'wrong: %s\n' "$*"
    within journalctl --no-pager -o short-monotonic -u 'postern*' | tail -40
    exit 1
}
# soon SECONDS WHAT COMMAND...: until the command is true
soon() {
    local seconds=$1 what=$2 begin=$SECONDS
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $((SECONDS - begin)) -lt "$seconds" ] || wrong "$what: not within $seconds s"
        sleep 0.5
    done
    printf '%-60s %3d s\n' "$what" $((SECONDS - begin))
}
programs=6
all_run() {
    local n
    n=$(within systemctl list-units 'postern-*.service' --state=running --no-legend --plain | wc -l)
    [ "$n" -eq "$programs" ]
}

# What docs/systemd.md tells an operator to do, word for word but for the wire that stands for the mirror.
within ip link add wire type veth peer name span0
within ip link set wire up
within ip link set span0 up
within systemd-sysusers
within systemd-tmpfiles --create 2>/dev/null || true # other packages' folders are not ours to judge
within postern setup --subscribers 10.0.0.0/8 --profile flow-only --interface span0 >"$top/setup.log" 2>&1 ||
    wrong "postern setup: $(cat "$top/setup.log")"
[ "$(within stat -c %U:%G:%a /etc/postern/site.key)" = root:postern:640 ] || wrong "the site key's owner or mode"
command=$(sed -n 's/^ *\(systemctl enable --now .*\)/\1/p' "$top/setup.log")
# shellcheck disable=SC2086 # a command of several words, as it was said
within $command 2>"$top/enable.log" || wrong "$command: $(cat "$top/enable.log")"
soon 30 "all six programs run" all_run
soon 20 "and say that they are well" within postern status

within journalctl --no-pager -o cat -u 'postern*' >"$top/started.log"
if grep 'are not restricted' "$top/started.log" | grep -v 'the kernel has no landlock'; then
    wrong "the sandbox is not whole"
fi
grep -q 'Started postern-sensor@' "$top/started.log" || wrong "the journal of the programs"

within postern-inject -x 5 wire /bot.pcap >/dev/null 2>&1 || wrong "the injection"
named() { within curl -sf http://127.0.0.1:8025/tickets | grep -q 10.0.0.5; }
soon 40 "the bot is on the page" named
within systemctl status --no-pager postern-sensor@span0 | grep -q 'Status: "ok' || wrong "the sensor's status line"

. "$(dirname "${BASH_SOURCE[0]}")/mail_log.sh"
mail_log_follows
within systemctl reload postern-sensor@span0 postern-collector || wrong "a good configuration is not taken"
within cp /etc/postern/postern.yaml /run/good.yaml
within sh -c 'printf "nonsense: 1\n" >>/etc/postern/postern.yaml'
if within systemctl reload postern-collector 2>/dev/null; then wrong "a wrong configuration was called good"; fi
within cp /run/good.yaml /etc/postern/postern.yaml
within systemctl reload postern-collector || wrong "the good configuration is not taken again"
all_run || wrong "a reload ended a program"

main_pid() { within systemctl show -P MainPID "$1"; }
restarts() { [ "$(within systemctl show -P NRestarts "$1")" -ge "$2" ]; }
within kill -KILL "$(main_pid postern-collector)" "$(main_pid postern-sensor@span0)"
within kill -STOP "$(main_pid postern-analysis)"
soon 20 "a killed collector is started again" restarts postern-collector 1
soon 20 "a killed sensor is started again" restarts postern-sensor@span0 1
soon 40 "a hanging analysis is ended by the watchdog" restarts postern-analysis 1
soon 20 "all run again" all_run
soon 20 "and are well" within postern status

mail_log_convicts
within systemctl stop postern.target
none_run() { [ -z "$(within systemctl list-units 'postern-*.service' --state=running --no-legend --plain)" ]; }
soon 30 "stopping the target stops all" none_run
failed=$(within systemctl list-units 'postern-*' --state=failed --no-legend --plain)
[ -z "$failed" ] || wrong "failed at the end: $failed"
if grep -l 'AddressSanitizer\|runtime error' <(within journalctl --no-pager -o cat -u 'postern*'); then
    wrong "a sanitizer's report"
fi
