# Whether the files of the payload are what was sent. The lines above have set
#   parts   their names, if there are any
#   sums    what cksum says of them: for each its checksum, its length and its name
# Nobody has waited until they were on the disk of the host. One that went down since may have lost them, and an empty payload
# would end well.
is_whole() {
    [ -n "$parts" ] || return 0
    # shellcheck disable=SC2046,SC2086 # the names and the sums are words
    set -- $(cksum $parts 2>/dev/null)
    [ "$*" != "$sums" ] || return 0
    # POSIX has cksum. On a host that has not, they are at least not empty.
    command -v cksum >/dev/null 2>&1 && return 1
    for part in $parts; do
        [ -s "$part" ] || return 1
    done
}
# The same for a task, whose payload is that of many. The first to find it whole has it brought to the disk and says so in
# `$top/whole`, beside when this machine was started; that spares each of the others two processes.
are_whole() {
    for part in $parts; do
        [ -s "$part" ] || return 1
    done
    boot=
    { IFS= read -r boot </proc/sys/kernel/random/boot_id; } 2>/dev/null
    if { read -r by at <"$top/whole"; } 2>/dev/null; then
        [ "$by" != "$boot" ] || booted=$at
        return 0
    fi
    is_whole || return 1
    clock
    # shellcheck disable=SC2086 # the names are words
    { { [ -z "$parts" ] || sync $parts; } && printf '%s %s\n' "$boot" "$booted" >"$top/whole"; } 2>/dev/null
    return 0
}
