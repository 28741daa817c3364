# What has each of these attempts left behind? Works the same under every scheduler.
# $1 sandbox  $2 attempt  $3 name of the job, and so on in threes
# Answers for each: job NAME, then as far as they are there: id ID, started, and the lines of the exit file after "| ";
# of an array: task INDEX NAME CODE CAUSE STARTED ENDED for each task that has left one
LC_ALL=C
export LC_ALL
echo 'PROCESSION-BEGIN 1'
while [ $# -ge 3 ]; do
    here="$1/.attempt-$2"
    printf 'job %s\n' "$3"
    # Read by opening: a listing may be older than the file on a network file system. It is whole when its line is.
    { IFS= read -r id <"$here/id"; } 2>/dev/null && printf 'id %s\n' "$id"
    [ -d "$here/started" ] && echo started
    # One that the disk has lost in part since is none.
    awk '{ line[NR] = $0 } END { if (line[NR] == "end") for (i = 1; i <= NR; i++) print "| " line[i] }' "$here/exit" 2>/dev/null
    for task in "$here"/task-*; do
        [ ! -d "$task" ] ||
            find "$here" -path "$here/task-*/exit" -exec awk '
                FNR == 1 { split("", of) }
                { of[$1] = $2 }
                $0 == "end" {
                    index_ = FILENAME
                    sub(/\/exit$/, "", index_)
                    sub(/.*\/task-/, "", index_)
                    print "task", index_, of["name"], of["code"], of["cause"], of["started"], of["ended"]
                }' {} + 2>/dev/null
        break
    done
    shift 3
done
echo 'PROCESSION-END 1'
