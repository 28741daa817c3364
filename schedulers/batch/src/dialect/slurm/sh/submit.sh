# Submits a job, unless that was begun before: repeating it submits nothing.
# $1 sandbox  $2 attempt  $3 name of the job, and then the options of sbatch
# Answers one of: submitted ID | known ID | unsure | refused WHY | failed CODE and, after "| ", what sbatch said
answer() {
    printf 'PROCESSION-BEGIN 1\n%s\nPROCESSION-END 1\n' "$1"
    exit 0
}
sandbox=$1 attempt=$2 name=$3 here="$1/.attempt-$2"
shift 3
[ -d "$sandbox" ] || answer 'refused no-sandbox'
# What was begun before is looked at before anything can be refused: a refusal means that nothing was started.
begun() {
    # The id is whole when its line is.
    ! { IFS= read -r id <"$here/id"; } 2>/dev/null || answer "known $id"
    [ ! -f "$here/declined" ] || answer "$(cat "$here/declined")"
    [ ! -e "$here/begun" ] || answer unsure
}
begun
is_sent "$sandbox/.job-$attempt" || answer 'refused no-script'
command -v sbatch >/dev/null 2>&1 || answer 'refused no-sbatch'
if ! begin "$here"; then
    begun
    # A network file system may not show yet what another machine has made. Where there is room for a file, that was it.
    { true >"$here/room"; } 2>/dev/null && answer unsure
    answer 'refused no-space'
fi
cd "$sandbox" || answer unsure
here=".attempt-$attempt"
# Variables count more than the lines in a script. These would make it wait, or make it another job.
unset SBATCH_ARRAY_INX SBATCH_WAIT SBATCH_TEST_ONLY
sbatch --parsable --job-name="$name" --no-requeue --chdir="$PWD" "$@" ".job-$attempt" \
    </dev/null >"$here/id.said" 2>"$here/said"
code=$?
if [ "$code" = 0 ]; then
    # Whatever a site lets sbatch say beside it, the id is a line of its own; with clusters it is `7;cluster`.
    while IFS= read -r id; do
        case ${id%%;*} in
        '' | *[!0-9]*) ;;
        *)
            printf '%s\n' "${id%%;*}" >"$here/id" || answer unsure
            answer "submitted ${id%%;*}"
            ;;
        esac
    done <"$here/id.said"
    answer unsure
fi
{
    echo "failed $code"
    head -c 4000 "$here/said" | sed 's/^/| /'
} >"$here/declined.tmp" && mv "$here/declined.tmp" "$here/declined"
answer "$(cat "$here/declined")"
