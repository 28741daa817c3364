# Leaves evidence of the end: written aside, and renamed into place when it is whole.
# $1 folder  $2 name of the job  $3 code  $4 cause: exited, told, walltime or restarted  $5 when the payload was started
# $6 `list` to list the files of the sandbox, so that whoever fetches them knows that they are whole
leave() {
    # A disk that is full, or a host that can start no more processes, may have room a moment later.
    for try in 1 2 3; do
        {
            printf 'procession-exit 1\nname %s\ncode %s\ncause %s\nstarted %s\nended %s\n' \
                "$2" "$3" "$4" "$5" "$(date +%s)"
            [ "$6" != list ] ||
                LC_ALL=C find . -path './.attempt-*' -prune -o -name '.payload-*' -o -name '.job-*' -o -name '.script-*' \
                    -o -type f -exec wc -c {} + 2>/dev/null |
                LC_ALL=C sed -n 's|^ *\([0-9][0-9]*\) \(\./.*\)$|file \1 \2|p' | head -n 1000
            echo end
        } >"$1/exit.tmp" && sync "$1/exit.tmp" 2>/dev/null
        [ "$(tail -n 1 "$1/exit.tmp")" = end ] && mv "$1/exit.tmp" "$1/exit" && return
        [ "$try" = 3 ] || sleep 1
    done
}

