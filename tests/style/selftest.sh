#!/usr/bin/env bash
# Proves that each style check can fail: on a small clean tree it passes, with one fault in it it
# names the fault. Usage: selftest.sh TREE BUILD
# shellcheck disable=SC2016 # the faults are literal text
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
build=${2:?usage: selftest.sh TREE BUILD}
need git

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cases=0

# put FILE: its content from standard input
put() {
    mkdir -p "$(dirname "$fixture/$1")"
    cat >"$fixture/$1"
}

# A tree in which nothing is wrong.
clean_tree() {
    fixture=$scratch/tree
    rm -rf "$fixture"
    mkdir -p "$fixture"
    git init -q "$fixture"
    printf '%s\n' '// A run of octets.' '#pragma once' '' '#include <stddef.h>' '' \
        'struct span {' '    const unsigned char *data;' '    size_t len;' '};' | put common/span.h
    printf '%s\n' '// A flow.' '#pragma once' '' '#include "common/span.h"' '' \
        'size_t flow_size(struct span s);' | put sensor/flow.h
    printf '%s\n' '// Says how long a flow is; strcpy() is only named here.' '#include "flow.h"' '' \
        'size_t flow_size(struct span s)' '{' '    return s.len;' '}' | put sensor/flow.c
    printf '%s\n' 'postern_library(postern_sensor ROOM sensor SOURCES flow.c)' | put sensor/CMakeLists.txt
    printf '%s\n' 'postern_library(postern_journal ROOM collector SOURCES journal.c)' |
        put collector/CMakeLists.txt
    printf '%s\n' '#!/bin/sh' 'echo "$1"' | put scripts/hello
    printf '%s\n' '#!/bin/sh' 'case $1 in --help) cat <<X' '  -r, --read FILE  a capture' '  -C, --check  print' \
        '' 'Configuration keys:' 'sensor:' '  flows: whole number' '      How many: at most.' \
        '  links: list of sections' '      Lines.' '    - name: text' '          Its name.' 'X' \
        ';; --version) echo "postern-x 0.1.0" ;; esac' |
        put build/bin/postern-x
    chmod +x "$fixture/build/bin/postern-x"
    printf '%s\n' /build/ | put .gitignore
    printf '%s\n' '.Dd November 22, 2026' '.Dt POSTERN-X 8' '.Os' '.Sh NAME' '.Nm postern-x' \
        '.Nd tries' '.Sh DESCRIPTION' '.Bl -tag -width Ds' '.It Fl r , Fl -read Ar FILE' 'Reads.' \
        '.It Fl C , Fl -check' 'Checks.' '.El' | put docs/man/postern-x.8
    printf '%s\n' '.Dd November 22, 2026' '.Dt POSTERN.YAML 5' '.Os' '.Sh NAME' '.Nm postern.yaml' \
        '.Nd configuration' '.Sh DESCRIPTION' '.Bl -tag -width Ds' '.It Cm sensor.flows Ar NUMBER' \
        'Flows.' '.It Cm sensor.links[].name Ar TEXT' 'Name.' '.El' | put docs/man/postern.yaml.5
    printf '[{"directory": "%s", "command": "gcc -c sensor/flow.c", "file": "%s/sensor/flow.c"}]\n' \
        "$fixture" "$fixture" | put build/compile_commands.json
    cp "$TREE/.clang-format" "$fixture/"
}

# run CHECK: its output in $said, its status in $status
run() {
    status=0
    said=$("$HERE/$1.sh" "$fixture" "$fixture/build" 2>&1) || status=$?
}

# refuses CHECK PATTERN: after a fault was put in
refuses() {
    cases=$((cases + 1))
    run "$1"
    [ "$status" -ne 77 ] || return 0
    if [ "$status" -eq 0 ] || ! grep -qE "$2" <<<"$said"; then
        finding "$1.sh does not say \"$2\" (status $status): $said"
    fi
    clean_tree
}

clean_tree
for check in format includes banned thirdparty shell words files headers cppcheck manpages config_keys; do
    cases=$((cases + 1))
    if [ "$check" = headers ]; then
        status=0
        said=$("$HERE/headers.sh" "$fixture" 2>&1) || status=$?
    else
        run "$check"
    fi
    [ "$status" -eq 0 ] || [ "$status" -eq 77 ] || finding "$check.sh refuses a clean tree: $said"
done

# fault FILE LINE...: one line more in a file
fault() {
    local file=$1
    shift
    printf '%s\n' "$@" >>"$fixture/$file"
}

fault sensor/flow.c 'int  flow_x( void ) ;'
refuses format 'sensor/flow.c:8'
fault sensor/flow.c '#include "../collector/journal.h"'
refuses includes 'flow.c:8: .*leaves its room'
fault sensor/flow.c '#include "collector/journal.h"'
refuses includes 'flow.c:8: .*names another room'
fault sensor/flow.c '#include "common/none.h"'
refuses includes 'there is no common/none.h'
fault common/span.h '#include "addr.h"'
refuses includes 'headers of common/ are included as'
fault sensor/CMakeLists.txt 'target_link_libraries(postern_sensor PUBLIC postern_journal)'
refuses includes "postern_journal is collector's"
fault sensor/flow.c 'int f(char *d, char *s) { return strcpy(d, s) == d; }'
refuses banned 'flow.c:8: strcpy\( is not used'
fault sensor/flow.c 'unsigned g(const unsigned char *p) { return *(const uint16_t *)p; }'
refuses banned 'flow.c:8: .*uint16_t \*\) is not used'
fault sensor/flow.c 'long now(void) { return time(NULL); }'
refuses banned 'only the event loop reads the clock'
fault sensor/flow.c '#include <zstd.h>'
fault common/span.h '#include <zstd.h>'
refuses thirdparty 'zstd.* is included by'
fault sensor/flow.c '#include <event2/event.h>'
refuses thirdparty 'is of no library we know'
fault scripts/hello 'echo $1 $UNSET[0]'
refuses shell 'hello:3:'
fault sensor/flow.c "// TO""DO later"
refuses words 'flow.c:8: finish it'
fault scripts/hello 'echo /ro''ot/x'
refuses words 'path of one machine'
fault sensor/flow.c 'int blank; '
refuses words "blanks at the line's end"
for _ in $(seq 500); do echo ''; done >>"$fixture/sensor/flow.c"
refuses files 'flow.c: 507 lines'
printf '%s\n' 'int orphan;' | put sensor/orphan.c
refuses files 'orphan.c:1: the first line'
printf '%s\n' '// Alone.' 'int orphan;' | put sensor/orphan.c
refuses files 'orphan.c: no CMakeLists.txt builds it'
fault sensor/flow.c 'int h(void);' 'int h(void) { int *p = 0; return *p; }'
refuses cppcheck 'flow.c:9: error: .*nullPointer'
sed -i '/--read/d' "$fixture/build/bin/postern-x"
refuses manpages 'option read is in the page but not'
sed -i 's/^  -C, .*/&\n  -w, --write FILE/' "$fixture/build/bin/postern-x"
refuses manpages 'option write is in postern-x --help but not'
fault docs/man/postern-x.8 '.Xx wrong'
refuses manpages 'postern-x.8:.*unknown macro'
rm "$fixture/docs/man/postern-x.8"
refuses manpages 'has no man page'
fault docs/man/postern.yaml.5 '.Bl -tag -width Ds' '.It Cm sensor.streams' 'No such key.' '.El'
refuses config_keys 'sensor.streams is documented, but'
sed -i 's/links.*/links/' "$fixture/docs/man/postern.yaml.5"
refuses config_keys 'sensor.links\[\].name is not documented'
sed -i '/sensor.flows/d' "$fixture/docs/man/postern.yaml.5"
refuses config_keys 'sensor.flows is not documented'

# headers.sh takes compiler options instead of a build folder.
printf '%s\n' '// Needs what it does not include.' '#pragma once' 'uint32_t alone(void);' | put sensor/alone.h
cases=$((cases + 1))
said=$("$HERE/headers.sh" "$fixture" 2>&1) && finding "headers.sh lets a header pass that does not stand alone"
grep -q 'alone.h' <<<"$said" || finding "headers.sh does not name the header: $said"

# The real build, made to see one room more: build_refuses.sh must notice.
cases=$((cases + 1))
mkdir "$scratch/build"
jq '[.[] | if (.command | contains("style_probe_dashboards.dir"))
    then .command |= sub(" -o "; " -iquote'"$fixture"'/sensor -o ") else . end]' \
    "$build/compile_commands.json" >"$scratch/build/compile_commands.json"
clean_tree
cp -r "$TREE/common" "$fixture/"
said=$("$HERE/build_refuses.sh" "$fixture" "$scratch/build" 2>&1) &&
    finding "build_refuses.sh does not notice that dashboards sees sensor: $said"
grep -q "dashboards: the build lets it include sensor's" <<<"$said" ||
    finding "build_refuses.sh does not say which room sees which: $said"

conclude "$cases cases"
