#!/usr/bin/env bash
# Who may include and link whom: a room sees itself and common/, nothing else, and names its headers
# from the room's top. The build refuses most of this already (see build_refuses.sh); this check says
# it in words, and covers what a compiler would let pass, such as "../".
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

rooms_pattern=$(echo "${ROOMS#common }" | tr ' ' '|')

# Sets `homes`: the folders in which a quoted include of this file may stand, but for common/.
homes_of() {
    local folder=${1%/*} part
    IFS=/ read -r -a part <<<"$1"
    case $1 in
    tests/unit/*/*) homes=("${part[2]}" tests/unit "$folder") ;;
    # A fuzz target may share the samples of its room's unit tests.
    tests/fuzz/*/*) homes=("${part[2]}" tests/fuzz "tests/unit/${part[2]}" "$folder") ;;
    # What a functional test takes apart: a room, or the traffic generator.
    tests/functional/*/*) homes=("${part[2]}" "tests/${part[2]}" "$folder") ;;
    # The evaluation plays its rows through the analysis itself, and reads flow facts as the generator does.
    tests/evaluation/*) homes=(analysis tests/generator "$folder") ;;
    tests/*) homes=("$folder" "${part[0]}/${part[1]}") ;;
    *) homes=("${part[0]}") ;;
    esac
}

check_include() {
    local at=$1 file=$2 name=$3 home homes
    case $name in
    *..*)
        finding "$at: \"$name\" leaves its room by ..; name the header from the room's top"
        return
        ;;
    common/*)
        if [ ! -f "$name" ]; then finding "$at: there is no $name"; fi
        return
        ;;
    esac
    case $file in common/*)
        finding "$at: \"$name\": headers of common/ are included as \"common/...\""
        return
        ;;
    esac
    if [[ $name =~ ^($rooms_pattern)/ ]]; then
        finding "$at: \"$name\" names another room; what passes between rooms is in common/"
        return
    fi
    homes_of "$file"
    for home in "${homes[@]}"; do
        if [ -f "$home/$name" ]; then return; fi
    done
    finding "$at: \"$name\" is not in ${homes[*]} (headers are named from the room's top)"
}

mapfile -t files < <(c_files)
while IFS=: read -r file line text; do
    if [[ $text =~ include[[:space:]]*\"([^\"]+)\" ]]; then
        check_include "$file:$line" "$file" "${BASH_REMATCH[1]}"
    fi
    if [[ $text =~ \<(common|$rooms_pattern)/ ]]; then
        finding "$file:$line: headers of the project are included with quotes"
    fi
done < <(grep -nHE '^[[:space:]]*#[[:space:]]*include' "${files[@]}" || true)

# The same for libraries: which room each is of, and who names it.
mapfile -t lists < <(tree_files '*CMakeLists.txt')
declare -A owner
while read -r library room; do
    owner[$library]=$room
done < <(grep -hoE 'postern_library\([a-z_0-9]+[[:space:]]+ROOM[[:space:]]+[a-z/]+' "${lists[@]}" |
    sed -E 's/postern_library\(([a-z_0-9]+)[[:space:]]+ROOM[[:space:]]+/\1 /')
for list in "${lists[@]}"; do
    case $list in
    tests/unit/*/* | tests/fuzz/*/*) room=$(echo "$list" | cut -d/ -f3) ;;
    tests/*) continue ;;
    *) room=${list%%/*} ;;
    esac
    while IFS=: read -r line word; do
        home=${owner[$word]:-}
        if [ -n "$home" ] && [ "$home" != "$room" ] && [ "$home" != common ]; then
            finding "$list:$line: $word is $home's; $room links itself and common/ only"
        fi
    done < <(sed 's/#.*//' "$list" | grep -noE '\b[a-z][a-z0-9_]+\b' || true)
done
conclude "${#files[@]} C files and ${#lists[@]} CMakeLists.txt"
