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
    has_all_parts
}
# Whether none of them is empty.
has_all_parts() {
    for part in $parts; do
        [ -s "$part" ] || return 1
    done
}
