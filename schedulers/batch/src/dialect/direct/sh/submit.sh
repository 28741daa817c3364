# Starts a job on a host without a scheduler, detached from whoever asks. Repeating it starts nothing.
# $1 sandbox  $2 attempt  $3 name of the job  $4 jobs at once on this host, 0 for any number  $5 folder of the slots
# $6 walltime in seconds, 0 for none  $7 signal before the walltime  $8 how many seconds before it, 0 for no signal
# Answers one of: submitted ID | known ID | unsure | refused WHY
LC_ALL=C
export LC_ALL
answer() {
    printf 'PROCESSION-BEGIN 1\n%s\nPROCESSION-END 1\n' "$1"
    exit 0
}
[ -d "$1" ] || answer 'refused no-sandbox'
# What was begun before is looked at before anything can be refused: a refusal means that nothing was started.
begun() {
    [ ! -f "$1/.attempt-$2/id" ] || answer "known $(cat "$1/.attempt-$2/id")"
    [ ! -d "$1/.attempt-$2" ] || answer unsure
}
begun "$1" "$2"
# A host that went down may have lost what is in them.
[ -s "$1/.job-$2" ] && [ -s "$1/.payload-$2" ] || answer 'refused no-script'
command -v setsid >/dev/null 2>&1 || answer 'refused no-setsid'
if [ "$4" != 0 ]; then
    command -v flock >/dev/null 2>&1 || answer 'refused no-flock'
    mkdir -p "$5" 2>/dev/null || answer 'refused no-slots'
    slots=$(cd "$5" && pwd) || answer 'refused no-slots'
fi
# Of all who ever come this far for this attempt, one makes the folder. A reconciler may be that one.
if mkdir "$1/.attempt-$2" 2>/dev/null; then
    cd "$1" 2>/dev/null || answer 'refused no-sandbox'
    # If we are part of another job ourselves, this one is not: whoever ends that by its name must not end this.
    unset PROCESSION_JOB PROCESSION_ATTEMPT
    setsid nohup sh ".job-$2" "$3" "$2" "$4" "$slots" "$6" "$7" "$8" </dev/null >/dev/null 2>&1 &
    stat=$(cat "/proc/$!/stat" 2>/dev/null)
    set -- "$2" "$!" ${stat##*) }
    id="$2:${22:-0}"
    printf '%s\n' "$id" >".attempt-$1/id.submit" && mv ".attempt-$1/id.submit" ".attempt-$1/id" || answer unsure
    answer "submitted $id"
fi
begun "$1" "$2"
answer 'refused no-space'
