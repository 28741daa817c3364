# Ends a job: makes sure that it can never start, then cancels what has its name, whatever its id. Ids are given out again.
# $1 sandbox  $2 attempt  $3 name of the job  $4 TERM or KILL
# Answers: gone | never (and it was never started) | still N (so many of its tasks were there, and have been told)
mkdir "$1/.attempt-$2" 2>/dev/null
# The door is shut before anybody is looked for: what is not listed yet ends at its first line.
word=gone
mkdir "$1/.attempt-$2/started" 2>/dev/null && word=never
for started in "$1/.attempt-$2"/task-*/started; do
    [ ! -d "$started" ] || word=gone
done
list=$(squeue -h -a -t all -u "$me" -n "$3" -o '%T') || exit 1
count=$(printf '%s\n' "$list" | grep -c -v -x -e '' -e BOOT_FAIL -e CANCELLED -e COMPLETED -e DEADLINE -e FAILED \
    -e LAUNCH_FAILED -e NODE_FAIL -e OUT_OF_MEMORY -e PREEMPTED -e RECONFIG_FAIL -e REVOKED -e TIMEOUT)
[ "$count" != 0 ] || answer "$word"
# Slurm itself asks with TERM, and ends it KillWait seconds later. Its exit code says nothing about a job that has ended.
[ "$4" = TERM ] || scancel -u "$me" -n "$3" --full --signal=KILL 2>/dev/null
scancel -u "$me" -n "$3"
answer "still $count"
