# shellcheck shell=bash
# What the style checks share. Each check is `CHECK.sh TREE [ARGUMENTS]` and looks at the files git
# knows or would add, so that a room that comes later is covered by itself. A finding is a line
# `file:line: what is wrong and what to do`; any finding makes the check fail.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TREE=$(cd "${1:?usage: $0 TREE}" && pwd)
cd "$TREE"
ROOMS='common sensor collector analysis dashboards'
export HERE ROOMS

FINDINGS=0

# tree_files GLOB...: paths that exist, one a line, sorted.
tree_files() {
    local path
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files --cached --others --exclude-standard -- "$@" 2>/dev/null
    else
        local glob pattern=()
        for glob in "$@"; do pattern+=(-o -path "./$glob" -o -name "$glob"); done
        find . -name build\* -prune -o -name node_modules -prune -o -type f \
            \( "${pattern[@]:1}" \) -print | sed 's|^\./||'
    fi | sort -u | while read -r path; do
        if [ -f "$path" ]; then printf '%s\n' "$path"; fi
    done
}

c_files() { tree_files '*.c' '*.h'; }

# Scripts by their first line, whatever their name.
shell_scripts() {
    tree_files '*.sh' '*.bats'
    tree_files 'scripts/*' '.ci/*' 'docs/*' 'tests/*' | while read -r path; do
        case $path in *.sh | *.bats) continue ;; esac
        if head -c 64 "$path" | head -n 1 | tr -d '\0' | grep -qE '^#!.*\b(ba)?sh\b'; then
            printf '%s\n' "$path"
        fi
    done
}

finding() {
    printf '%s\n' "$*"
    FINDINGS=$((FINDINGS + 1))
}

# The last command of a check: says how much was looked at, fails when something was found or when
# there was nothing to look at.
conclude() {
    printf '%s looked at, %d findings\n' "$1" "$FINDINGS"
    case $1 in 0\ *) printf 'nothing to look at: is the tree complete?\n' && exit 1 ;; esac
    [ "$FINDINGS" -eq 0 ]
}

# skip WHY: ctest shows the check as skipped
skip() {
    printf 'skipped: %s\n' "$*"
    exit 77
}

need() { command -v "$1" >/dev/null 2>&1 || skip "$1 is not installed (scripts/setup installs it)"; }

# c_code FILE...: `file:line:code` with comments and the insides of strings taken out, so that words
# in prose are not calls.
c_code() { awk -f "$HERE/c_code.awk" "$@"; }
