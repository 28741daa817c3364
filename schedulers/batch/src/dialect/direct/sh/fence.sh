# Did the submission of this attempt arrive? And if not: it never shall.
# $1 sandbox  $2 attempt  $3 name of the job  $4 look, or close to make sure that it can never start
# Answers one of: known ID | absent (not found, but it could still start) | fenced (it can never start)
LC_ALL=C
export LC_ALL
here="$1/.attempt-$2"
answer() {
    printf 'PROCESSION-BEGIN 1\n%s\nPROCESSION-END 1\n' "$1"
    exit 0
}
known() {
    [ ! -f "$here/id" ] || answer "known $(cat "$here/id")"
}
# Who makes the folder first wins: a submission that finds it never starts a job.
mkdir "$here" 2>/dev/null && answer fenced
if [ ! -d "$here" ]; then
    # Without a sandbox nothing can start in it. With one, the host could not make the folder: no answer.
    [ -d "$1" ] && exit 1
    answer fenced
fi
known
list=$(ps -ww -eo pid=,pgid=,stat=,args=) || exit 1
[ -n "$list" ] || exit 1
pid=$(printf '%s\n' "$list" | awk -v name="$3" '$3 !~ /^Z/ {
    for (i = 4; i < NF; i++) if ($i ~ /^\.job-[0-9]+$/ && $(i + 1) == name) { print $1; exit }
}')
if [ -n "$pid" ]; then
    known
    answer "known $pid:0"
fi
[ "$4" = close ] || answer absent
# A job writes its id before it makes this folder, so the folder without an id was made by an earlier fence.
mkdir "$here/started" 2>/dev/null && answer fenced
known
[ -d "$here/started" ] || exit 1
answer fenced
