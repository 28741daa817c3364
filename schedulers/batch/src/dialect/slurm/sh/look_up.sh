# The same, and what accounting remembers of these jobs; without accounting, what the controller does.
# $1 sandbox  $2 attempt  $3 name of the job, and so on in threes
# Answers lines: now|ID|STATE|REASON|NAME and then|ID|STATE|CODE:SIGNAL|NAME; a job that was put back into the queue has one for
# each of its runs
list=$(squeue -h -a -t all -u "$me" -o 'now|%i|%T|%r|%j') || exit 1
ids=
while [ $# -ge 3 ]; do
    { IFS= read -r id <"$1/.attempt-$2/id"; } 2>/dev/null || id=
    case $id in
    '' | *[!0-9]*) ;;
    *) ids="$ids,$id" ;;
    esac
    shift 3
done
past() {
    # The users' own names are better than numbers. Without -D it would show the last run alone.
    sacct -n -P -X -D -j "${ids#,}" -o JobID,State,ExitCode,JobName 2>/dev/null && return
    # No accounting, or it is away. A controller that is away is about the host.
    for id in $(echo "$ids" | tr , ' '); do
        said=$(scontrol -o show job "$id" 2>&1) || case $said in
        *'Invalid job id'*) continue ;;
        *) return 1 ;;
        esac
        printf '%s\n' "$said" | awk '{
            split("", of)
            for (i = 1; i <= NF; i++) {
                at = index($i, "=")
                key = substr($i, 1, at - 1)
                if (at && !(key in of)) of[key] = substr($i, at + 1)
            }
            # The last number but one stands for an array that never began: all of its tasks.
            id = of["JobId"]
            if ("ArrayJobId" in of && of["ArrayTaskId"] != "4294967294") {
                id = of["ArrayJobId"] "_" of["ArrayTaskId"]
                if (of["ArrayTaskId"] !~ /^[0-9]+$/) id = of["ArrayJobId"] "_[" of["ArrayTaskId"] "]"
            }
            # Its node failed under the first run, of which nothing else is remembered.
            if (of["Restarts"] > 0) print id "|NODE_FAIL|0:0|" of["JobName"]
            print id "|" of["JobState"] "|" of["ExitCode"] "|" of["JobName"]
        }'
    done
}
[ -z "$ids" ] || past=$(past) || exit 1
echo 'PROCESSION-BEGIN 1'
printf '%s\n' "$list"
uid='' who=''
[ -z "$ids" ] || printf '%s\n' "$past" | while IFS= read -r line; do
    case $line in
    *'|CANCELLED by '[0-9]*)
        rest=${line#*|CANCELLED by }
        [ "$uid" = "${rest%%|*}" ] || uid=${rest%%|*} who=$(id -un "${rest%%|*}" 2>/dev/null)
        line="${line%%|*}|CANCELLED by ${who:-$uid}|${rest#*|}"
        ;;
    esac
    printf 'then|%s\n' "$line"
done
echo 'PROCESSION-END 1'
