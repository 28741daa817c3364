# The commands of LSF, in the words of the protocol.
programs='bsub bjobs bkill'
# Where these are set, bsub does not say the id.
unset BSUB_QUIET BSUB_QUIET2
# Without it the commands wait for a server that is down for as long as it takes (lsf.conf(5)).
LSB_NTRIES=${LSB_NTRIES:-2}
export LSB_NTRIES
# put ATTEMPT NAME OPTION…: submits; prints the sentence with the id. An array has its indices in its name.
put() {
    file=".job-$1"
    label=$2
    shift 2
    case "$1" in
    '['*) label="$label$1"; shift ;;
    esac
    bsub -J "$label" -o /dev/null -e /dev/null -rn "$@" sh "$file"
}
id_of() {
    sed -n 's/^.*Job <\([0-9][0-9]*\)> is submitted.*$/\1/p' | tail -n 1
}
# Our jobs, also those that ended a while ago. LSF before 10.1 knows no field for the reason of waiting.
list() {
    fields='jobid stat exit_code job_name exit_reason'
    for more in ' pend_reason' ''; do
        listing=$(bjobs -a -noheader -J 'procession-*' -o "$fields$more delimiter='|'" 2>&1)
        code=$?
        case "$listing" in
        No\ *job\ found* | *'is not found'*) return 0 ;;
        esac
        [ "$code" != 0 ] || break
    done
    [ "$code" = 0 ] || return 1
    printf '%s\n' "$listing" | grep '^[0-9][0-9]*|'
    return 0
}
# pick NAME live|any: the ids among these rows, an array once.
pick() {
    awk -F '|' -v name="$1" -v which="$2" '
        { label = $4; sub(/\[[0-9]*\]$/, "", label) }
        label == name && (which == "any" || ($2 != "DONE" && $2 != "EXIT")) && !seen[$1]++ { print $1 }'
}
drop() {
    if [ "$1" = KILL ]; then
        bkill -s KILL "$2"
    else
        bkill "$2"
    fi
}
recall() {
    bhist -a -l -J "$1"
}
