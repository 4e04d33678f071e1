#!/usr/bin/env bash
# Proves that the build itself refuses what includes.sh forbids: with the flags of one room, each
# header that only another room has does not compile, and a header of common/ does.
# Usage: build_refuses.sh TREE BUILD
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
build=${2:?usage: build_refuses.sh TREE BUILD}
need jq

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# compiles ROOM HEADER: the command that compiled the room's probe, on a file with this one include.
compiles() {
    local command
    printf '#include "%s"\nextern int probe;\n' "$2" >"$scratch/snippet.c"
    command=$(jq -r --arg target "style_probe_$1.dir" \
        '.[] | select(.command | contains($target)) | .command' "$build/compile_commands.json")
    [ -n "$command" ] || return 2
    command=$(sed -E "s| -o [^ ]+| -o $scratch/snippet.o|; s| -c [^ ]+| -c $scratch/snippet.c|" \
        <<<"$command")
    (cd "$build" && eval "$command") >"$scratch/said" 2>&1
}

# headers_of ROOM: as the room names them
headers_of() { tree_files "$1/*.h" | sed "s|^$1/||"; }

tried=0
for room in $ROOMS; do
    compiles "$room" common/span.h ||
        finding "$room: common/span.h does not compile with its flags: $(tail -n 1 "$scratch/said")"
    for other in ${ROOMS#common }; do
        [ "$other" != "$room" ] || continue
        # Two headers a pair are enough: what is proved is a property of the folder, not of the file.
        while read -r header; do
            tried=$((tried + 1))
            if compiles "$room" "$header"; then
                finding "$room: the build lets it include $other's \"$header\""
            elif ! grep -q 'No such file' "$scratch/said"; then
                finding "$room: \"$header\" failed for another reason: $(tail -n 1 "$scratch/said")"
            fi
            compiles "$room" "$other/$header" &&
                finding "$room: the build lets it include \"$other/$header\""
        done < <(comm -23 <(headers_of "$other" | sort) <(headers_of "$room" | sort) | head -n 2)
    done
done
conclude "$tried forbidden includes"
