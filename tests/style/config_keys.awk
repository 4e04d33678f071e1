# Dotted keys from what `PROGRAM --help` says of the configuration: below "Configuration keys:" a
# section stands as `name:`, a key as `  name: what it takes` with its help in the line below, keys of
# a key deeper. Items of a list are named `list[]`. What only holds other keys is left out.
/^Configuration keys:$/ { on = 1; next }
!on { next }
is_help { is_help = 0; next }
/^[a-z_]+:$/ {
    depth = 1
    at[1] = 0
    path[1] = substr($0, 1, length($0) - 1)
    list[1] = 0
    next
}
# The first key of a list stands behind its dash.
/^ +- / { sub(/- /, "  ") }
/^ +[a-z_0-9]+: / {
    match($0, /^ */)
    indent = RLENGTH
    key = substr($0, indent + 1)
    takes = key
    sub(/:.*/, "", key)
    sub(/^[^:]*: /, "", takes)
    while (depth > 1 && at[depth] >= indent)
        depth--
    name = path[depth] (list[depth] ? "[]." : ".") key
    holds[path[depth]] = 1
    depth++
    at[depth] = indent
    path[depth] = name
    list[depth] = takes ~ /^list/
    order[++count] = name
    is_help = 1
}
END {
    for (i = 1; i <= count; i++)
        if (!(order[i] in holds))
            print order[i]
}
