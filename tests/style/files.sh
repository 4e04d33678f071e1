#!/usr/bin/env bash
# A file is one room: at most 500 lines unless long_files.tsv gives the reason, its purpose in the
# first comment, and named in a CMakeLists.txt when it is C.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
limit=500

mapfile -t sources < <(c_files)
mapfile -t scripts < <(shell_scripts | sort -u)
while read -r lines file; do
    if [ "$lines" -gt "$limit" ] && ! grep -qP "^\Q$file\E\t\S" "$HERE/long_files.tsv"; then
        finding "$file: $lines lines, at most $limit; split it by purpose (or give the reason in long_files.tsv)"
    fi
done < <(wc -l "${sources[@]}" "${scripts[@]}" | grep -v ' total$')
while IFS=$'\t' read -r file _; do
    case $file in '' | '#'*) continue ;; esac
    if [ ! -f "$file" ] || [ "$(wc -l <"$file")" -le "$limit" ]; then
        finding "long_files.tsv: $file needs no exception"
    fi
done <"$HERE/long_files.tsv"

while read -r file; do
    finding "$file:1: the first line is the comment that states the file's purpose"
done < <(awk 'FNR == 1 && !/^\/[\/*] / { print FILENAME }' "${sources[@]}")

# All files that the build names, from the tree's top: lists name theirs from their own folder.
mapfile -t lists < <(tree_files '*CMakeLists.txt')
declare -A built
while read -r file; do built[$file]=1; done < <(awk '
    {
        sub(/#.*/, "")
        folder = FILENAME
        if (!sub(/\/[^\/]*$/, "/", folder)) folder = ""
        gsub(/\$\{CMAKE_CURRENT_SOURCE_DIR\}\//, folder)
        gsub(/[()"]/, " ")
        for (i = 1; i <= NF; i++)
            if ($i ~ /\.c$/) {
                if (sub(/^\$\{CMAKE_SOURCE_DIR\}\//, "", $i)) print $i
                else { print folder $i; print $i }
            }
    }' "${lists[@]}")
for file in "${sources[@]}"; do
    case $file in
    *.h | tests/style/* | tests/fuzz/replay_main.c) continue ;;
    esac
    [ -n "${built[$file]:-}" ] || finding "$file: no CMakeLists.txt builds it"
done
conclude "$((${#sources[@]} + ${#scripts[@]})) files"
