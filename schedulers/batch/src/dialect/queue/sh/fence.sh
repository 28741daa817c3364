# Did the submission of this attempt arrive? And if not: it never shall.
# $1 sandbox  $2 attempt  $3 name of the job  $4 look, or close to make sure that it can never start
# Answers one of: known ID | absent (not found, but it could still start) | fenced (it can never start)
here="$1/.attempt-$2"
known() {
    [ ! -f "$here/id" ] || answer "known $(cat "$here/id")"
}
# Who makes the folder first wins: a submission that finds it never submits.
mkdir "$here" 2>/dev/null && answer fenced
if [ ! -d "$here" ]; then
    # Without a sandbox nothing can start in it. With one, the host could not make the folder: no answer.
    [ -d "$1" ] && exit 1
    answer fenced
fi
known
rows=$(list) || exit 1
id=$(printf '%s\n' "$rows" | pick "$3" any | head -n 1)
if [ -n "$id" ]; then
    known
    answer "known $id"
fi
[ "$4" = close ] || answer absent
# A job writes its id before it makes this folder, so the folder without an id was made by an earlier fence.
mkdir "$here/started" 2>/dev/null && answer fenced
known
[ -d "$here/started" ] || exit 1
answer fenced
