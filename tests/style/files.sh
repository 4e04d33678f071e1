#!/usr/bin/env bash
# A file is one room: at most 500 lines unless long_files.tsv gives the reason, its purpose in the
# first comment, and named in a CMakeLists.txt when it is C.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
limit=500

mapfile -t sources < <(c_files)
mapfile -t scripts < <(shell_scripts | sort -u)
for file in "${sources[@]}" "${scripts[@]}"; do
    lines=$(wc -l <"$file")
    if [ "$lines" -gt "$limit" ] && ! grep -qP "^\Q$file\E\t\S" "$HERE/long_files.tsv"; then
        finding "$file: $lines lines, at most $limit; split it by purpose (or give the reason in long_files.tsv)"
    fi
done
while IFS=$'\t' read -r file _; do
    case $file in '' | '#'*) continue ;; esac
    if [ ! -f "$file" ] || [ "$(wc -l <"$file")" -le "$limit" ]; then
        finding "long_files.tsv: $file needs no exception"
    fi
done <"$HERE/long_files.tsv"

for file in "${sources[@]}"; do
    case $(head -n 1 "$file") in
    '// '* | '/* '*) ;;
    *) finding "$file:1: the first line is the comment that states the file's purpose" ;;
    esac
done

mapfile -t lists < <(tree_files '*CMakeLists.txt')
for file in "${sources[@]}"; do
    case $file in
    *.h | tests/style/* | tests/fuzz/replay_main.c) continue ;;
    esac
    # A list names its files from its own folder; common parents are looked at as well.
    found=0
    for list in "${lists[@]}"; do
        folder=$(dirname "$list")
        if [ "$folder" = . ]; then name=$file; else name=${file#"$folder"/}; fi
        if [ "$name" != "$file" ] || [ "$folder" = . ]; then
            if sed 's/#.*//' "$list" | grep -qE "(^|[[:space:](/\"])${name//./\\.}([[:space:])\"]|\$)"; then found=1; fi
        fi
    done
    [ "$found" -eq 1 ] || finding "$file: no CMakeLists.txt builds it"
done
conclude "$((${#sources[@]} + ${#scripts[@]})) files"
