# The time in seconds since 1970, into `now`. It asks `date` once, and from then on the system's own clock of how long it
# has been up, where that is a file: reading one costs no process.
booted=
clock() {
    up=
    { IFS=. read -r up now </proc/uptime; } 2>/dev/null
    case $up in
    '' | *[!0-9]*) now=$(date +%s) ;;
    *)
        booted=${booted:-$(($(date +%s) - up))}
        now=$((booted + up))
        ;;
    esac
}
# Whether the sandbox holds anything but what is ours.
is_filled() {
    for entry in * .[!.]* ..?*; do
        case $entry in .attempt-* | .payload-* | .job-* | .script-*) continue ;; esac
        [ ! -e "$entry" ] && [ ! -h "$entry" ] || return 0
    done
    return 1
}
# Leaves evidence of the end: written aside, and renamed into place when it is whole. Nobody waits until it is on the disk: it
# must not last longer than what it is the evidence of.
# $1 folder  $2 name of the job  $3 code  $4 cause: exited, told, walltime or restarted  $5 when the payload was started
# $6 `list` to list the files of the sandbox, so that whoever fetches them knows that they are whole
leave() {
    files=$6
    [ "$files" != list ] || is_filled || files=none
    # A disk that is full, or a host that can start no more processes, may have room a moment later.
    for try in 1 2 3; do
        clock
        {
            printf 'procession-exit 1\nname %s\ncode %s\ncause %s\nstarted %s\nended %s\n' \
                "$2" "$3" "$4" "$5" "$now"
            [ "$files" != list ] ||
                LC_ALL=C find . -path './.attempt-*' -prune -o -name '.payload-*' -o -name '.job-*' -o -name '.script-*' \
                    -o -type f -exec wc -c {} + 2>/dev/null |
                LC_ALL=C sed -n 's|^ *\([0-9][0-9]*\) \(\./.*\)$|file \1 \2|p' | head -n 1000
            echo end
        } >"$1/exit.tmp"
        last=
        if [ "$files" = list ]; then
            last=$(tail -n 1 "$1/exit.tmp")
        else
            # The same for a few lines, without a process.
            while read -r line; do last=$line; done <"$1/exit.tmp"
        fi
        [ "$last" = end ] && mv "$1/exit.tmp" "$1/exit" && return
        [ "$try" = 3 ] || sleep 1
    done
}
