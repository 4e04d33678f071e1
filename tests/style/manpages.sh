#!/usr/bin/env bash
# Every program has a man page that mandoc takes without a warning, and the page names the very
# options that --help names. Usage: manpages.sh TREE BUILD
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
build=${2:?usage: manpages.sh TREE BUILD}
need mandoc

mapfile -t pages < <(tree_files 'docs/man/*.[1-9]' 'tests/*.[1-9]')
for page in "${pages[@]}"; do
    while read -r line; do finding "$line"; done < <(
        mandoc -T lint -W warning "$page" 2>&1 | sed -E 's/^mandoc: //' || true
    )
    name=$(basename "$page")
    grep -qE "^\.Dt ${name%.*} ${name##*.}\$" <(tr '[:upper:]' '[:lower:]' <"$page" | sed 's/^\.dt/.Dt/') ||
        finding "$page: .Dt does not name the page (${name%.*} ${name##*.})"
done

# help_options PROGRAM: the options in the first column of its --help, long names, or letters of
# options that have only a letter.
help_options() {
    "$1" --help | sed -nE 's/^[[:space:]]+(-[A-Za-z0-9], )?--([a-z0-9-]+).*/\2/p
                           s/^[[:space:]]+-([A-Za-z0-9])( [A-Z]|  |$).*/\1/p' | sort -u
}

# page_options PAGE: the same of its option lists, written `.It Fl c , -config Ar FILE` or
# `.It Fl c Ar FILE , Fl -config Ar FILE`.
page_options() {
    sed -nE '/^\.It Fl/{
        s/.* -([a-z0-9][a-z0-9-]+).*/\1/
        t show
        s/^\.It Fl ([A-Za-z0-9]).*/\1/
        :show
        p
    }' "$1" | sort -u
}

count=0
for program in "$build"/bin/*; do
    [ -x "$program" ] || continue
    count=$((count + 1))
    name=$(basename "$program")
    # Tools of the tests have theirs beside them.
    page=$(tree_files "*/$name.1" "*/$name.8" | head -n 1)
    if [ -z "$page" ]; then
        finding "docs/man/$name.8: $name has no man page"
        continue
    fi
    while read -r option; do
        finding "$page: option $option is in $name --help but not in the page (.It Fl ...)"
    done < <(comm -23 <(help_options "$program") <(page_options "$page"))
    while read -r option; do
        finding "$page: option $option is in the page but not in $name --help"
    done < <(comm -13 <(help_options "$program") <(page_options "$page"))
    "$program" --help >/dev/null || finding "$name --help ends with status $?"
    "$program" --version | grep -qE "^$name [0-9]+\.[0-9]+\.[0-9]+\$" ||
        finding "$name --version does not say \"$name N.N.N\""
done
conclude "$((count + ${#pages[@]})) programs and pages"
