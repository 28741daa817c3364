# How far are all our jobs here? One listing, of all that Slurm still has in its memory, whoever is asked about.
# $1 sandbox  $2 attempt  $3 name of the job, and so on in threes: jobs that have been running for long. A controller that died
# between the end of a job and the saving of its state says for minutes that it runs, so it is looked whether they have ended.
# Answers a line for each: ID|STATE|REASON|NAME; the name comes last, because others may have any text in theirs.
# Then left|NAME for each of the arguments that has left evidence of its end.
echo 'PROCESSION-BEGIN 1'
squeue -h -a -t all -u "$me" -o '%i|%T|%r|%j' || exit 1
now=$(date +%s)
while [ $# -ge 3 ]; do
    exit="$1/.attempt-$2/exit" code='' ended=$now
    [ ! -f "$exit" ] || while read -r key value; do
        case $key in
        code) code=$value ;;
        ended) ended=$value && break ;;
        esac
    done <"$exit"
    case $code in
    '') ;;
    0) printf 'left|%s\n' "$3" ;;
    # The scheduler has a minute to say why it failed: it may have been cancelled, or out of walltime.
    *) [ "$ended" -gt $((now - 60)) ] 2>/dev/null || printf 'left|%s\n' "$3" ;;
    esac
    shift 3
done
echo 'PROCESSION-END 1'
