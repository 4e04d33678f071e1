# shellcheck shell=bash
# What tests in name spaces of their own share: what has to be there, and a folder to work in. Sourced, never run.

skip() {
    printf 'skipped: %s\n' "$*"
    exit 77
}

# need_root WHAT_FOR
need_root() {
    [ "$(id -u)" -eq 0 ] || skip "needs root, for $1"
    export PATH=$PATH:/usr/sbin:/sbin
}

need_commands() {
    local command
    for command in "$@"; do
        command -v "$command" >/dev/null 2>&1 || skip "$command is not installed (scripts/setup installs it)"
    done
}

# in_own COMMAND...: in name spaces for processes, mounts and network that end with it
in_own() { unshare --fork --pid --kill-child --mount --mount-proc --net "$@"; }

# need_own COMMAND...: name spaces can be made, and the command works in them
need_own() { in_own "$@" 2>/dev/null || skip "name spaces cannot be made here"; }

# make_place FOLDER: a folder in PLACE that others may look into. FOLDER is made anew and stays; "": one that ends
# with the script.
make_place() {
    PLACE=$1
    if [ -n "$PLACE" ]; then
        rm -rf "$PLACE"
        mkdir -p "$PLACE"
    else
        PLACE=$(mktemp -d)
        trap 'rm -rf "$PLACE"' EXIT
    fi
    chmod 755 "$PLACE"
}
