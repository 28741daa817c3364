# The frame around a payload, the same under every scheduler: starts it at most once, keeps its outputs apart, and leaves
# evidence of its end. It runs in the sandbox. The lines above have set
#   name, attempt   which job this is
#   id              the scheduler's id of the job, of an array as a whole
#   task            the index of this task, or nothing if the job is no array
#   again           whether the scheduler has started this before: nothing or 0 if not
#   pass            a signal that the scheduler gives to this shell alone, or nothing
#   ends            the signals by which the scheduler says that it is about to kill the job, or nothing
#   walltime        in seconds, or nothing
#   warn, after     a signal that this shell gives by itself after so many seconds, or nothing
# and they have made a function that becomes the payload, run_payload.
# Ends with 97 if another has started this, or it was fenced, and with 98 if it cannot write down who it is, or the payload is
# not whole: then it was never started.

# Whether the payload is whole. That of a task is that of many: the first to find it so has it brought to the disk and says so in
# `$top/whole`, beside when this machine was started; that spares each of the others two processes.
is_whole_for_all() {
    if [ -z "$task" ]; then
        is_whole
        return
    fi
    has_all_parts || return 1
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

top=".attempt-$attempt"
here="$top${task:+/task-$task}"
# Made by whoever starts this, or sees to it that nobody does. A task has it for its folder.
door="$here/started"
[ -z "$task" ] || door=$here
# The id comes before the start, so that a start without an id is always a fence. It is whole when its line is.
if ! { IFS= read -r line <"$top/id"; } 2>/dev/null; then
    { printf '%s\n' "$id" >"$top/id.job$task" && mv "$top/id.job$task" "$top/id"; } 2>/dev/null || exit 98
fi
[ -d "$door" ] || is_whole_for_all || exit 98
if ! mkdir "$door" 2>/dev/null; then
    # The scheduler put it back into the queue after its node had failed. What ran there left no evidence, and never will.
    case "$again" in '' | 0) exit 97 ;; esac
    clock
    [ -f "$here/exit" ] || leave "$here" "$name" 97 restarted "$now"
    exit 97
fi
# For a task, `started` of the whole attempt is made by those alone who want it never to start. It is seen: to make its own folder
# let a network file system look at the one around it afresh.
[ -z "$task" ] || [ ! -d "$top/started" ] || exit 97

clock
began=$now
# The payload stays in the process group and session that the scheduler watches. So a signal for this shell alone is
# handed to every descendant of the payload by name.
payload=
hand_on() {
    # It may have been started a moment ago, and not have its name here yet.
    for pid in $(ps -eo pid=,ppid= | awk -v top="${payload:-$!}" '
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
told=
# shellcheck disable=SC2086 # the names are words
[ -z "$ends" ] || trap 'told=yes' $ends
# Waits and then signals the payload. It ends at once, with its sleep, when it is told to.
later() {
    trap '' INT HUP USR1 USR2 XCPU QUIT ALRM
    sleep "$1" &
    nap=$!
    trap 'kill -s KILL "$nap" 2>/dev/null; exit' TERM
    wait "$nap"
    trap '' TERM
    hand_on "$2"
}
if [ -n "$task" ]; then
    PROCESSION_TASK=$task
    export PROCESSION_TASK
fi
run_payload </dev/null >"$here/stdout" 2>"$here/stderr" &
payload=$!
watches=
if [ -n "$warn" ]; then
    later "$after" "$warn" >/dev/null 2>&1 &
    watches=$!
fi

# A signal to this shell ends the wait early, so ask until the payload is really gone.
wait "$payload"
code=$?
while kill -s 0 "$payload" 2>/dev/null; do
    if [ "$told" = yes ]; then
        # Little time is left: the payload is pressed, so that this shell lives to say how it ended.
        told=done
        hand_on TERM
        later 5 KILL >/dev/null 2>&1 &
        watches="$watches $!"
    fi
    wait "$payload"
    code=$?
done
# The payload may have ended while this shell handed a signal on. Then `code` is what that signal did to the wait, and the
# shell still knows the end of the payload; one that was told it already knows no such child, which is 127.
wait "$payload" 2>/dev/null
last=$?
[ "$last" = 127 ] || code=$last
for watch in $watches; do
    kill -s TERM "$watch" 2>/dev/null
done
cause=exited
if [ -n "$told" ] && [ "$code" != 0 ]; then
    cause=told
    clock
    # The scheduler begins to count a little earlier than this shell.
    [ -n "$walltime" ] && [ $((now - began + 2)) -ge "$walltime" ] && cause=walltime
fi
# The tasks of an array share a sandbox, and none knows which files are its own.
list=list
[ -z "$task" ] || list=none
leave "$here" "$name" "$code" "$cause" "$began" "$list"
exit "$code"
