# Ends jobs: makes sure that they can never start, then cancels what has their names, whatever the ids. Ids are given out
# again, so an id is cancelled only with the name that it has now. One listing and one command do for all of them.
# $1 sandbox  $2 attempt  $3 name of the job  $4 TERM or KILL, and so on in fours
# Answers for each, as a part of a bundle: gone | never (and it was never started) | still N (so many of its tasks were
# there, and have been told)
doors=
while [ $# -ge 4 ]; do
    begin "$1/.attempt-$2"
    # The door is shut before anybody is looked for: what is not listed yet ends at its first line.
    word=gone
    mkdir "$1/.attempt-$2/started" 2>/dev/null && word=never
    for task in "$1/.attempt-$2"/task-*; do
        [ ! -d "$task" ] || word=gone
    done
    doors="$doors$3 $word $4
"
    shift 4
done
list=$(squeue -h -a -t all -u "$me" -o '%F|%T|%j') || exit 1
# The names come first. Prints which ids to press, and then what is answered: only a name that is ours to the letter counts.
found=$(printf '%s\n%s\n' "$doors" "$list" | awk '
    /^$/ { listed = 1 }
    !listed { word[$1] = $2; force[$1] = $3; name[++names] = $1; next }
    {
        split($0, of, "|")
        job = substr($0, length(of[1]) + length(of[2]) + 3)
        if (!(job in word)) next
        if (of[2] ~ /^(BOOT_FAIL|CANCELLED|COMPLETED|DEADLINE|FAILED|LAUNCH_FAILED|NODE_FAIL|OUT_OF_MEMORY|PREEMPTED)$/) next
        if (of[2] ~ /^(RECONFIG_FAIL|REVOKED|TIMEOUT)$/) next
        if (!told[of[1]]++) print force[job], of[1]
        count[job]++
    }
    END { for (i = 1; i <= names; i++) print "answer", count[name[i]] ? "still " count[name[i]] : word[name[i]] }')
ids() {
    printf '%s\n' "$found" | sed -n "s/^$1 \([0-9][0-9]*\)\$/\1/p"
}
# Slurm itself asks with TERM, and ends it KillWait seconds later. Its exit code says nothing about a job that has ended.
hard=$(ids KILL) soft=$(ids TERM)
# shellcheck disable=SC2086 # the ids are words
[ -z "$hard" ] || scancel -u "$me" --full --signal=KILL $hard 2>/dev/null
# shellcheck disable=SC2086
[ -z "$hard$soft" ] || scancel -u "$me" $hard $soft
printf '%s\n' "$found" | while read -r kind word; do
    [ "$kind" != answer ] || printf 'PROCESSION-PART 1\nPROCESSION-BEGIN 1\n%s\nPROCESSION-END 1\nPROCESSION-OVER 1 0\n' "$word"
done
echo 'PROCESSION-LEFT 1 0'
