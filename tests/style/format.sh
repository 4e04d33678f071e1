#!/usr/bin/env bash
# Every C file is as .clang-format wants it. The version is fixed: versions differ in taste.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
need clang-format-14

mapfile -t files < <(c_files)
while read -r line; do
    finding "$line (run: clang-format-14 -i FILE)"
done < <(printf '%s\0' "${files[@]}" | xargs -0 -r -n 20 -P 2 clang-format-14 --dry-run 2>&1 |
    grep -E ': (warning|error):' | cut -d: -f1,2 | sort -u)
conclude "${#files[@]} C files"
