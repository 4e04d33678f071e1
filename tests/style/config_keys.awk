# Dotted keys of a YAML file in the plain block form that `--check` prints; a list's items are named
# `list[]`. Sections' own names are left out: only what takes a value is a key.
/^[[:space:]]*(#.*)?$/ { next }
{
    match($0, /^ */)
    indent = RLENGTH
    text = substr($0, indent + 1)
    item = 0
    if (text ~ /^- +/) {
        item = 1
        sub(/^- +/, "", text)
        indent = length($0) - length(text)
    }
    if (text !~ /^[a-z_][a-z0-9_]*:( |$)/)
        next
    key = text
    sub(/:.*/, "", key)
    while (depth > 0 && at[depth] >= indent)
        depth--
    if (item && depth > 0)
        listed[depth] = 1
    name = depth > 0 ? path[depth] (listed[depth] ? "[]." : ".") key : key
    depth++
    at[depth] = indent
    path[depth] = name
    listed[depth] = 0
    if (!(name in seen)) {
        seen[name] = 1
        order[++count] = name
    }
}
END {
    for (i = 1; i <= count; i++) {
        leaf = 1
        for (j = 1; j <= count; j++)
            if (index(order[j], order[i] ".") == 1 || index(order[j], order[i] "[]") == 1)
                leaf = 0
        if (leaf)
            print order[i]
    }
}
