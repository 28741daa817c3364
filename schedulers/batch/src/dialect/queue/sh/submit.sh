# Submits the frame of an attempt, once. Repeating it submits nothing.
# $1 sandbox  $2 attempt  $3 name of the job, then the options of the submission, word for word
# Answers one of: submitted ID | known ID | unsure | refused WHY | declined, and after it what the scheduler said
begun() {
    [ ! -f "$1/.attempt-$2/id" ] || answer "known $(cat "$1/.attempt-$2/id")"
    [ ! -d "$1/.attempt-$2" ] || answer unsure
}
[ -d "$1" ] || answer 'refused no-sandbox'
# What was begun before is looked at before anything can be refused: a refusal means that nothing was submitted.
begun "$1" "$2"
is_sent "$1/.job-$2" || answer 'refused no-script'
for program in $programs; do
    command -v "$program" >/dev/null 2>&1 || answer "refused no-program $program"
done
# Of all who ever come this far for this attempt, one makes the folder. A reconciler may be that one.
if ! mkdir "$1/.attempt-$2" 2>/dev/null; then
    begun "$1" "$2"
    answer 'refused no-space'
fi
cd "$1" 2>/dev/null || answer 'refused no-sandbox'
here=".attempt-$2"
attempt=$2
name=$3
shift 3
put "$attempt" "$name" "$@" >"$here/id.said" 2>"$here/id.error" </dev/null
code=$?
id=$(id_of <"$here/id.said")
if [ -n "$id" ]; then
    { printf '%s\n' "$id" >"$here/id.tmp" && mv "$here/id.tmp" "$here/id"; } || answer unsure
    answer "submitted $id"
fi
# Without an id and without an error nobody knows what became of it.
[ "$code" != 0 ] || answer unsure
printf 'PROCESSION-BEGIN 1\ndeclined\n'
cat "$here/id.error" "$here/id.said" | head -n 40
printf '\nPROCESSION-END 1\n'
