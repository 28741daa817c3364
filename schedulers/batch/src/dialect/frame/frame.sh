# The frame around a payload, the same under every scheduler: starts it at most once, keeps its outputs apart, and leaves
# evidence of its end. It runs in the sandbox. The lines above have set
#   name, attempt   which job this is
#   id              the scheduler's id of the job, of an array as a whole
#   task            the index of this task, or nothing if the job is no array
#   again           whether the scheduler has started this before: nothing or 0 if not
#   pass            a signal that the scheduler gives to this shell alone, or nothing
# Ends with 97 if another has started this, or it was fenced, and with 98 if it cannot write down who it is.
top=".attempt-$attempt"
here="$top${task:+/task-$task}"
# This also makes a network file system look at the folder afresh, so the fence below is seen.
[ -z "$task" ] || mkdir "$here" 2>/dev/null
# The id comes before the start, so that a start without an id is always a fence.
if [ ! -f "$top/id" ]; then
    { printf '%s\n' "$id" >"$top/id.job$task" && mv "$top/id.job$task" "$top/id"; } 2>/dev/null || exit 98
fi
if ! mkdir "$here/started" 2>/dev/null; then
    # The scheduler put it back into the queue after its node had failed. What ran there left no evidence, and never will.
    case "$again" in '' | 0) exit 97 ;; esac
    [ -f "$here/exit" ] || leave "$here" "$name" 97 restarted "$(date +%s)"
    exit 97
fi
# For a task, `started` of the whole attempt is made by those alone who want it never to start.
[ -z "$task" ] || [ ! -d "$top/started" ] || exit 97

began=$(date +%s)
# The payload stays in the process group and session that the scheduler watches. So a signal for this shell alone is
# handed to every descendant of the payload by name.
hand_on() {
    for pid in $(ps -eo pid=,ppid= | awk -v top="$payload" '
        { kids[$2] = kids[$2] " " $1 }
        function walk(pid, n, i, of) {
            print pid
            n = split(kids[pid], of, " ")
            for (i = 1; i <= n; i++) walk(of[i])
        }
        END { walk(top) }'); do
        kill -s "$1" "$pid" 2>/dev/null
    done
}
# Not ignored but survived: an ignored signal would be ignored by the payload too.
trap : TERM INT HUP USR1 USR2
# shellcheck disable=SC2064 # the name of the signal is known now
[ -z "$pass" ] || trap "hand_on $pass" "$pass"
if [ -n "$task" ]; then
    PROCESSION_TASK=$task
    export PROCESSION_TASK
fi
sh ".payload-$attempt" "$name" </dev/null >"$here/stdout" 2>"$here/stderr" &
payload=$!

# A signal to this shell ends the wait early, so ask until the payload is really gone.
wait "$payload"
code=$?
while kill -s 0 "$payload" 2>/dev/null; do
    wait "$payload"
    code=$?
done
# The tasks of an array share a sandbox, and none knows which files are its own.
list=list
[ -z "$task" ] || list=none
leave "$here" "$name" "$code" exited "$began" "$list"
exit "$code"
