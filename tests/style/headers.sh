#!/usr/bin/env bash
# Every header compiles alone and may be included twice, seeing only its own room and common/.
# Usage: headers.sh TREE [COMPILER OPTIONS for the libraries]
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
shift
options=("$@")
need gcc

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/view"
ln -s "$TREE/common" "$scratch/view/common"

# The folder a header's room is seen through, and the name it has there.
room_of() {
    case $1 in
    tests/functional/*) dirname "$1" ;;
    tests/*/*) printf '%s\n' "$(echo "$1" | cut -d/ -f1-2)" ;;
    *) printf '%s\n' "${1%%/*}" ;;
    esac
}

compile() {
    local header=$1 room name tested=()
    room=$(room_of "$header")
    if [ "$room" = common ]; then name=$header; else name=${header#"$room"/}; fi
    # What helps the tests of a room sees that room.
    case $header in tests/unit/*/* | tests/fuzz/*/* | tests/functional/*/*)
        tested=("-iquote$TREE/$(echo "$header" | cut -d/ -f3)")
        ;;
    esac
    if ! grep -q '^#pragma once$' "$header"; then
        printf '%s:1: no "#pragma once"\n' "$header"
    fi
    printf '#include "%s"\n#include "%s"\n' "$name" "$name" |
        gcc -x c -std=c17 -fsyntax-only -D_GNU_SOURCE -Wall -Wextra -Werror -Wshadow \
            "-iquote$scratch/view" "-iquote$TREE/$room" "${tested[@]}" "${options[@]}" - 2>&1 |
        sed -n "s|^$TREE/||; /error:/p"
}

mapfile -t headers < <(tree_files '*.h')
for header in "${headers[@]}"; do
    while read -r line; do finding "$line (in $header, compiled alone)"; done < <(compile "$header")
done
conclude "${#headers[@]} headers"
