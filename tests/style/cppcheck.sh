#!/usr/bin/env bash
# Runs cppcheck over the product and its tests, as the build compiles them, with results kept between
# runs. Usage: cppcheck.sh TREE BUILD. Suppressions: cppcheck_suppressions.txt, each with its reason.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
build=${2:?usage: cppcheck.sh TREE BUILD}
need cppcheck

mkdir -p "$build/cppcheck"
while read -r line; do finding "$line"; done < <(
    cppcheck --project="$build/compile_commands.json" --cppcheck-build-dir="$build/cppcheck" \
        -j "$(nproc)" --std=c11 --quiet --inline-suppr \
        --enable=warning,performance,portability \
        --suppressions-list="$HERE/cppcheck_suppressions.txt" \
        --suppress="*:*/build*/*" \
        --template='{file}:{line}: {severity}: {message} [{id}]' --template-location='' 2>&1 |
        sed "s|^$TREE/||"
)
mapfile -t sources < <(tree_files '*.c')
conclude "${#sources[@]} C files"
