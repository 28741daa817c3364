# Ends a job: makes sure that it can never start, then tells the scheduler to end every job that carries its name.
# $1 sandbox  $2 attempt  $3 name of the job  $4 TERM or KILL
# Answers: gone | still N (so many were there, and have been told)
# An id is never trusted alone, because schedulers give them out again. The name is the job's own.
mkdir "$1/.attempt-$2" 2>/dev/null
mkdir "$1/.attempt-$2/started" 2>/dev/null
rows=$(list) || exit 1
ids=$(printf '%s\n' "$rows" | pick "$3" live)
count=0
for id in $ids; do
    count=$((count + 1))
    drop "$4" "$id" >/dev/null 2>&1 </dev/null
done
[ "$count" = 0 ] && answer gone
answer "still $count"
