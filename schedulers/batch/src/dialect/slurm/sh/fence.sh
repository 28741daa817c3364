# Did the submission of this attempt arrive? And if not: it never shall.
# $1 sandbox  $2 attempt  $3 name of the job  $4 look, or close to make sure that it can never start
# Answers one of: known ID | absent (not found, but it could still start) | fenced (it can never start)
here="$1/.attempt-$2"
known() {
    # It is whole when its line is.
    ! { IFS= read -r id <"$here/id"; } 2>/dev/null || answer "known $id"
}
# Who is first wins: a submission that is not never submits.
begin "$here" && answer fenced
if [ ! -d "$here" ]; then
    # Without a sandbox nothing can start in it. With one, the host could not make the folder: no answer.
    [ -d "$1" ] && exit 1
    answer fenced
fi
known
# sbatch may have failed, or its answer may be lost, and yet the job be there. Its name is its own.
id=$(squeue -h -a -t all -u "$me" -n "$3" -o %i) || exit 1
[ -n "$id" ] || id=$(sacct -n -P -X -u "$me" --name="$3" -S now-7days -o JobID 2>/dev/null)
id=$(printf '%s\n' "$id" | sed -n 's/^\([0-9][0-9]*\).*$/\1/p' | head -n 1)
if [ -n "$id" ]; then
    known
    answer "known $id"
fi
[ "$4" = close ] || answer absent
# A job writes its id before it makes this folder or looks for it, so the folder without an id is a fence.
mkdir -p "$here/started" || exit 1
known
# What appears after all ends at its first line; it need not wait in the queue for that.
scancel -u "$me" -n "$3" 2>/dev/null
answer fenced
