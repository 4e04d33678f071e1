# shellcheck shell=bash
# What the scripts share: where the tree is, progress lines, timing, running a long command quietly.
# Sourced, never run. Colours only on a terminal (and never when NO_COLOR is set).

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
JOBS=$(nproc 2>/dev/null || echo 2)
export ROOT JOBS

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    BOLD=$'\e[1m' GREEN=$'\e[32m' YELLOW=$'\e[33m' RED=$'\e[31m' PLAIN=$'\e[0m'
else
    BOLD='' GREEN='' YELLOW='' RED='' PLAIN=''
fi

say() { printf '%s\n' "$*"; }
headline() { printf '%s== %s%s\n' "$BOLD" "$*" "$PLAIN"; }
note() { printf '%s%s%s\n' "$YELLOW" "$*" "$PLAIN"; }

# die MESSAGE [STATUS]: one line that names the fix, on standard error.
die() {
    printf '%s%s: %s%s\n' "$RED" "${0##*/}" "$1" "$PLAIN" >&2
    exit "${2:-1}"
}

# seconds_text N: "8 s", "2 min 05 s"
seconds_text() {
    if [ "$1" -lt 60 ]; then
        printf '%d s' "$1"
    else
        printf '%d min %02d s' $(($1 / 60)) $(($1 % 60))
    fi
}

# on_terminal: may a line be rewritten?
on_terminal() { [ -t 1 ] && [ "${TERM:-dumb}" != dumb ]; }

# watch_log PID LOG WHAT: what a long command is doing, until it ends. On a terminal one line that is
# rewritten every second; elsewhere a line every ten.
watch_log() {
    local pid=$1 log=$2 what=$3 start=$SECONDS last elapsed width
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.2
        elapsed=$((SECONDS - start))
        [ "$elapsed" -ge 2 ] || continue
        if on_terminal; then
            last=$(tail -n 1 "$log" 2>/dev/null | tr -d '\r' | tr -c '[:print:]\n' ' ')
            width=$(($(tput cols 2>/dev/null || echo 80) - 1))
            printf '\r\e[K%.*s' "$width" "   $what, $(seconds_text "$elapsed"): $last"
        elif [ $((elapsed % 10)) -eq 0 ]; then
            last=$(tail -n 1 "$log" 2>/dev/null | tr -d '\r')
            printf '   %s, %s: %.100s\n' "$what" "$(seconds_text "$elapsed")" "$last"
            sleep 1
        fi
    done
    if on_terminal; then printf '\r\e[K'; fi
}

# quietly DOING LOG COMMAND...: run with its output in LOG; the log's end is shown when it fails.
# The command is stopped with the script.
quietly() {
    local what=$1 log=$2 start=$SECONDS pid status=0
    shift 2
    mkdir -p "$(dirname "$log")"
    # shellcheck disable=SC2024 # the log is the caller's, also when the command runs as root
    "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    # shellcheck disable=SC2064 # this child, now
    trap "kill $pid 2>/dev/null; exit 130" INT TERM
    watch_log "$pid" "$log" "$what"
    wait "$pid" || status=$?
    trap - INT TERM
    if [ "$status" -ne 0 ]; then
        printf '%s   %s: failed with status %d; the end of %s:%s\n' "$RED" "$what" "$status" \
            "${log#"$ROOT"/}" "$PLAIN" >&2
        tail -n 60 "$log" >&2
        return "$status"
    fi
    printf '   %s: %sdone%s in %s\n' "$what" "$GREEN" "$PLAIN" "$(seconds_text $((SECONDS - start)))"
}

# configure FOLDER NAME=VALUE...: a Ninja build folder, with ccache when there is one. One that came here with a copy of the
# tree is configured anew.
configure() {
    local folder=$1 arguments=()
    shift
    if [ -f "$folder/CMakeCache.txt" ] &&
        ! [ "$(sed -n 's/^CMAKE_CACHEFILE_DIR:INTERNAL=//p' "$folder/CMakeCache.txt")" -ef "$folder" ]; then
        arguments+=(--fresh)
    fi
    if command -v ccache >/dev/null 2>&1; then
        arguments+=(-DCMAKE_C_COMPILER_LAUNCHER=ccache)
    fi
    for pair in "$@"; do arguments+=("-D$pair"); done
    quietly "configuring ${folder#"$ROOT"/}" "$folder/configure.log" \
        cmake -S "$ROOT" -B "$folder" -G Ninja "${arguments[@]}"
}

# build FOLDER [TARGET...]
build() {
    local folder=$1
    shift
    NINJA_STATUS='[%f/%t] ' quietly "building ${folder#"$ROOT"/}" "$folder/build.log" \
        ninja -C "$folder" -j "$JOBS" "$@"
}

# training_run FOLDER PROFILE: what the compiler is to learn from: mail and other traffic, plain and wrapped.
training_run() {
    local train=$1 profile=$2 scenario wrap capture
    for scenario in smtp edge; do
        for wrap in none qinq+pppoe; do
            capture=$profile/$scenario-$wrap # kept for layout_run
            # What the generator itself does is nobody's lesson.
            GCOV_PREFIX=$train/other "$train/bin/postern-generate" --wrap "$wrap" --microseconds \
                -s "$ROOT/tests/generator/scenarios/bench_${scenario}_small.yaml" \
                -o "$capture.pcap" --config-out "$capture.yaml" || return
            printf 'sensor:\n  legal_profile: full-envelope\n' >>"$capture.yaml"
            "$train/bin/postern-sensor" -c "$capture.yaml" -r "$capture.pcap" -o "$capture.records" ||
                return
            "$train/bin/postern-collector" -c "$capture.yaml" -r "$capture.records" \
                -j "$capture.journal" || return
            rm -rf "$capture.journal"
        done
    done
    training_live "$train" || return
    local program
    for program in sensor collector; do
        if [ -z "$(find "$profile" -name "*postern-$program.dir*.gcda" -print -quit)" ]; then
            echo "postern-$program wrote nothing to $profile"
            return 1
        fi
    done
}

# training_live FOLDER: a collector that takes made-up records of 10,000 subscribers from its socket, for three minutes of
# theirs and a few seconds of ours.
training_live() {
    local train=$1 scratch pid status=0
    scratch=$(mktemp -d) # short: it is the path of a socket
    cat >"$scratch/collector.yaml" <<YAML
site:
  subscribers: [10.0.0.0/8]
  run_directory: $scratch
  sandbox: off # it may not write its profile otherwise
collector:
  journal: $scratch/journal
  intake: $scratch/intake
  ca: $scratch/ca
  listen: ["unix:$scratch/records.sock"]
  session_rate: 10000000
YAML
    "$train/bin/postern-collector" -c "$scratch/collector.yaml" &
    pid=$!
    for _ in $(seq 100); do [ -S "$scratch/records.sock" ] || sleep 0.1; done
    GCOV_PREFIX=$train/other timeout 60 "$train/tests/bench_feed" "unix:$scratch/records.sock" - \
        10000 3 30000 "$pid" || status=$?
    kill "$pid" || status=$?
    wait "$pid" || status=$?
    rm -rf "$scratch"
    return "$status"
}

# layout_run PROGRAM BOLT PROFILE: what a post-link optimiser is to learn of the trained sensor from the same captures. A sensor laid
# out by that has to write the same records, octet for octet, or it is left as it is.
layout_run() {
    local program=$1 bolt=$2 profile=$3 capture
    "$bolt" "$program" -instrument -o "$program.watched" \
        "--instrumentation-file=$profile/layout" -instrumentation-file-append-pid || return
    for capture in "$profile"/*.pcap; do
        "$program.watched" -c "${capture%.pcap}.yaml" -r "$capture" -o "$program.records" || return
    done
    "${bolt%/*}/merge-fdata" "$profile"/layout.*.fdata >"$profile/postern-sensor.fdata" || return
    cp "$program" "$program.laid-out" || return
    cmake -DBOLT="$bolt" -DPROGRAM="$program.laid-out" -DPROFILE="$profile/postern-sensor.fdata" \
        -DREQUIRED=1 -P "$ROOT/cmake/LayOut.cmake" || return
    for capture in "$profile"/*.pcap; do
        "$program.laid-out" -c "${capture%.pcap}.yaml" -r "$capture" -o "$program.records" &&
            "$program" -c "${capture%.pcap}.yaml" -r "$capture" -o "$program.expected" &&
            cmp "$program.records" "$program.expected" || return
    done
}

# learn_layout FOLDER PROFILE: of the trained sensor, where there is a post-link optimiser.
learn_layout() {
    local folder=$1 profile=$2 status=0
    if [ -n "$(bolt)" ]; then
        build "$folder" postern-sensor &&
            quietly "learning the order of code" "$folder/layout.log" \
                layout_run "$folder/bin/postern-sensor" "$(bolt)" "$profile" || status=$?
        if [ "$status" -ne 0 ]; then
            note "   the sensor's code stays in the compiler's order"
            rm -f "$profile/postern-sensor.fdata"
        fi
        rm -f "$folder/bin"/postern-sensor.*
    fi
    rm -f "$profile"/*.pcap "$profile"/*.yaml "$profile"/*.records "$profile"/layout.*
}

# bolt: the post-link optimiser, in its own folder: it looks for its parts there. Or nothing.
bolt() { readlink -f "$(command -v llvm-bolt-16 || command -v llvm-bolt)" || true; }

# trained FOLDER NAME=VALUE...: a Release build folder whose programs are optimised by what a sensor did on
# training captures, and a collector with its records. What was learnt of the same sources is not learnt again. ccache does not see profiles: it
# is left out where they are used.
trained() {
    local folder=$1 train=$1/train profile=$1/profile stamp learnt=1
    shift
    stamp=$( (cd "$ROOT" && find CMakeLists.txt cmake common sensor collector tests/generator tests/bench/collector \
        -type f -print0 |
        sort -z | xargs -0 sha256sum && "${CC:-cc}" --version && bolt) | sha256sum)
    if [ "$(cat "$profile/stamp" 2>/dev/null)" != "$stamp" ]; then
        rm -rf "$profile" "$train"
        mkdir -p "$profile"
        if ! { configure "$train" CMAKE_BUILD_TYPE=Release BUILD_TESTING=OFF POSTERN_PGO=TRAIN \
            "POSTERN_PROFILE=$profile" CMAKE_C_COMPILER_LAUNCHER= &&
            build "$train" postern-sensor postern-collector postern-generate bench_feed &&
            quietly "training" "$train/training.log" training_run "$train" "$profile"; }; then
            die "the training of the optimiser failed; --plain builds without it" 70
        fi
        learnt=0
        rm -rf "$train"
        # Objects of another profile would be taken for up to date.
        if [ -f "$folder/build.ninja" ]; then ninja -C "$folder" -t clean >/dev/null; fi
    fi
    local options=(CMAKE_BUILD_TYPE=Release POSTERN_PGO=USE "POSTERN_PROFILE=$profile"
        CMAKE_C_COMPILER_LAUNCHER= "POSTERN_BOLT=$(bolt)" "$@")
    configure "$folder" "${options[@]}"
    if [ "$learnt" -eq 0 ]; then
        learn_layout "$folder" "$profile"
        printf '%s\n' "$stamp" >"$profile/stamp"
        configure "$folder" "${options[@]}"
    fi
}

# programs FOLDER: the programs a build folder makes, as ninja targets.
programs() { ninja -C "$1" -t targets all | sed -n 's/^\(bin\/[a-z-]*\): .*/\1/p'; }
