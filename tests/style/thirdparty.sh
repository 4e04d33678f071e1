#!/usr/bin/env bash
# One file wraps each third-party library, so that a library can be changed in one place. A header
# that is neither the C library's, nor the kernel's, nor in thirdparty.tsv is a finding: a new
# dependency is a decision. Tests and the traffic generator are programs of their own.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# What the C library and the kernel offer.
system='^((linux|sys|net|netinet|arpa|asm|netpacket)/[a-z0-9_./-]+|(aio|alloca|argp|assert|complex|ctype|dirent|dlfcn|elf|endian|err|errno|error|fcntl|fenv|float|fnmatch|fts|ftw|getopt|glob|grp|ifaddrs|inttypes|iso646|langinfo|libgen|limits|locale|malloc|math|mntent|netdb|paths|poll|pty|pwd|regex|resolv|sched|search|semaphore|setjmp|signal|spawn|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|strings|sysexits|syslog|termios|tgmath|time|uchar|unistd|utime|wchar|wctype)\.h)$'

mapfile -t files < <(tree_files '*.c' '*.h' | grep -v '^tests/')
includes=$(grep -HnoE '^[[:space:]]*#[[:space:]]*include[[:space:]]*<[^>]+>' "${files[@]}" |
    sed -E 's/^([^:]+):([0-9]+):.*<([^>]+)>/\1 \2 \3/' || true)

while read -r file line header; do
    if [ -z "$header" ] || [[ $header =~ $system ]]; then continue; fi
    known=0
    while IFS=$'\t' read -r pattern _; do
        case $pattern in '' | '#'*) continue ;; esac
        if [[ $header =~ ^($pattern)$ ]]; then known=1; fi
    done <"$HERE/thirdparty.tsv"
    [ "$known" -eq 1 ] || finding "$file:$line: <$header> is of no library we know; see thirdparty.tsv"
done <<<"$includes"

while IFS=$'\t' read -r pattern most reason; do
    case $pattern in '' | '#'*) continue ;; esac
    if [ "$most" -gt 1 ] && [ "$reason" = - ]; then
        finding "thirdparty.tsv: $pattern: $most files without a reason"
    fi
    users=$(while read -r file _ header; do
        if [[ $header =~ ^($pattern)$ ]]; then printf '%s\n' "$file"; fi
    done <<<"$includes" | sort -u)
    if [ -n "$users" ] && [ "$(wc -l <<<"$users")" -gt "$most" ]; then
        finding "$pattern is included by $(tr '\n' ' ' <<<"$users"): at most $most may; use the wrapper"
    fi
done <"$HERE/thirdparty.tsv"
conclude "${#files[@]} C files"
