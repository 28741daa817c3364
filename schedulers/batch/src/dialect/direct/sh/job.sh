# The frame around a job on a host without a scheduler: waits for a slot, starts the payload at most once, keeps its
# walltime, and leaves evidence of its end. It runs in the sandbox, in a session of its own, and outlives its payload.
# $1 name of the job  $2 attempt  $3 jobs at once, 0 for any number  $4 folder of the slots
# $5 walltime in seconds, 0 for none  $6 signal before the walltime  $7 how many seconds before it, 0 for no signal
# Ends with 97 if another has started this attempt, or it was fenced, and with 98 if it cannot write down who it is, or the
# payload is not whole: then it was never started.
LC_ALL=C
export LC_ALL
here=".attempt-$2"
[ -d "$here/started" ] && exit 97

# The id comes before the start, so that a start without an id is always a fence.
stat=$(cat "/proc/$$/stat" 2>/dev/null)
start_ticks() { shift 19; echo "${1:-0}"; }
# shellcheck disable=SC2086 # the fields are words
ticks=$(start_ticks ${stat##*) })
{ printf '%s\n' "$$:${ticks:-0}" >"$here/id.job" && mv "$here/id.job" "$here/id"; } 2>/dev/null || exit 98

# Who waits for a slot waits for the head of the queue first; the head alone tries the slots.
if [ "$3" != 0 ]; then
    exec 8>>"$4/queue" || exit 98
    # With many slots a round of tries is expensive. Not every sleep knows fractions.
    nap=0.1
    [ "$3" -le 8 ] || nap=1
    flock 8
    slot=0
    while :; do
        slot=$((slot % $3 + 1))
        exec 9>>"$4/slot-$slot" || exit 98
        flock -n 9 && break
        [ -d "$here/started" ] && exit 97
        [ "$slot" != "$3" ] || sleep "$nap" 2>/dev/null || sleep 1
    done
    exec 8>&-
fi

is_whole || exit 98
mkdir "$here/started" 2>/dev/null || exit 97
clock
began=$now
# Not ignored but survived: an ignored signal would be ignored by the payload too.
trap : TERM INT HUP USR1 USR2
setsid sh ".payload-$2" "$1" </dev/null >"$here/stdout" 2>"$here/stderr" 8>&- 9>&- &
payload=$!

if [ "$5" != 0 ]; then
    (
        sleep $(($5 - $7))
        if [ "$7" != 0 ]; then
            kill -s "$6" -- "-$payload"
            sleep "$7"
        fi
        mkdir "$here/walltime"
        kill -s TERM -- "-$payload"
        sleep 5
        kill -s KILL -- "-$payload"
    ) >/dev/null 2>&1 8>&- 9>&- &
fi

# A signal to this shell ends the wait early, so ask until the payload is really gone.
wait "$payload"
code=$?
while kill -s 0 "$payload" 2>/dev/null; do
    wait "$payload"
    code=$?
done
kill -s KILL -- "-$payload" 2>/dev/null
# What has left the group has the name of the job in its environment, where the system shows that (`proc(5)`).
strays=$(grep -lsz "^PROCESSION_JOB=$1\$" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3)
# shellcheck disable=SC2086 # they are words
[ -z "$strays" ] || kill -s KILL $strays 2>/dev/null

cause=exited
[ -d "$here/walltime" ] && [ "$code" != 0 ] && cause=walltime
leave "$here" "$1" "$code" "$cause" "$began" list

# What is left in this group is the watch over the walltime.
trap '' TERM
kill -s TERM 0
exit "$code"
