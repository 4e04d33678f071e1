#!/usr/bin/env bash
# What no file holds: notes to oneself, paths of one machine, authors, merge marks, blanks at a
# line's end.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Text files alone, without what is not ours to word.
mapfile -t files < <(tree_files '*' |
    grep -vE '^LICENSE$|/corpus/|^tests/style/(words|selftest)\.sh$|package-lock\.json$' |
    tr '\n' '\0' | xargs -0 -r grep -lI '' | sort)

# refuse PATTERN WHY
refuse() {
    while IFS=: read -r file line text; do
        finding "$file:$line: $2: ${text:0:80}"
    done < <(grep -HnE "$1" "${files[@]}" || true)
}

refuse '\b(TODO|FIXME|XXX|HACK)\b' 'finish it, or say in docs what is missing'
refuse '(^|[^[:alnum:]_.])/(work|root|home/[a-z]+)/' 'a path of one machine'
refuse '^(<<<<<<<|=======|>>>>>>>)( |$)' 'a merge left behind'
refuse '(@author|[Ww]ritten by [A-Z])' 'no authors: git knows them'

mapfile -t files < <(printf '%s\n' "${files[@]}" | grep -E '\.(c|h|sh|bats|txt|cmake|md|yaml|[158])$|^scripts/')
refuse '[[:blank:]]+$' "blanks at the line's end"
conclude "${#files[@]} text files"
