#!/usr/bin/env bash
# Runs cppcheck over the product and its tests, as the build compiles them, with results kept between
# runs. Usage: cppcheck.sh TREE BUILD. Suppressions: cppcheck_suppressions.txt, each with its reason.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
build=${2:?usage: cppcheck.sh TREE BUILD}
need cppcheck

need jq

mkdir -p "$build/cppcheck"
# cppcheck knows -I but not -iquote, and would not find our headers; the view of common/ is a link to it. A file
# that several programs compile has the same macros in all and is looked at once.
database=$build/cppcheck/compile_commands.json
jq --arg tree "$TREE" '[.[] | .file |= gsub("/[^/]+/[.][.]/"; "/")
    | .command |= (gsub("-iquote[^ ]*/view "; "-I\($tree) ") | gsub("-iquote"; "-I"))] | unique_by(.file)' \
    "$build/compile_commands.json" >"$database.new"
cmp -s "$database.new" "$database" || cp "$database.new" "$database"
while read -r line; do finding "$line"; done < <(
    cppcheck --project="$database" --cppcheck-build-dir="$build/cppcheck" \
        -j "$(nproc)" --std=c11 --quiet --inline-suppr \
        --enable=warning,performance,portability \
        --suppressions-list="$HERE/cppcheck_suppressions.txt" \
        --template='{file}:{line}: {severity}: {message} [{id}]' --template-location='' 2>&1 |
        sed "s|^$TREE/||"
)
mapfile -t sources < <(tree_files '*.c')
conclude "${#sources[@]} C files"
