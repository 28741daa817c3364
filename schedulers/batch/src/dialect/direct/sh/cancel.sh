# Ends a job: makes sure that it can never start, then signals every process group that carries its name, and what has
# left these groups with its name in the environment; nothing else.
# $1 sandbox  $2 attempt  $3 name of the job  $4 TERM or KILL
# Answers: gone | still N (so many groups and strays were there, and have been signalled)
LC_ALL=C
export LC_ALL
# The fence comes before the listing: a job that wins against it is in the listing, one that loses ends with 97.
mkdir "$1/.attempt-$2" "$1/.attempt-$2/started" 2>/dev/null
# The door is shut before anybody is looked for: a frame that was forked but is not seen yet ends at its first line.
mkdir "$1/.attempt-$2/started" 2>/dev/null
list=$(ps -ww -eo pid=,pgid=,stat=,args=) || exit 1
[ -n "$list" ] || exit 1
groups=$(printf '%s\n' "$list" | awk -v name="$3" '$3 !~ /^Z/ {
    for (i = 4; i < NF; i++) if ($i ~ /^\.(job|payload)-[0-9]+$/ && $(i + 1) == name && !seen[$2]++) print $2
}')
count=0
for group in $groups; do
    count=$((count + 1))
    kill -s "$4" -- "-$group" 2>/dev/null
done
# A session of its own hides from its group, but not from its environment, where the system shows that (`proc(5)`). A
# process of a group that was signalled already is not told twice.
strays=$(grep -lsz "^PROCESSION_JOB=$3\$" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3 | sed 's/^/stray /')
[ -z "$strays" ] || strays=$(printf '%s\n' "$list" "$strays" | awk -v groups="$(echo $groups)" '
    BEGIN { for (n = split(groups, all, " "); n > 0; n--) told[all[n]] = 1 }
    $1 != "stray" { group[$1] = $2 }
    $1 == "stray" && !(group[$2] in told) { print $2 }')
for stray in $strays; do
    count=$((count + 1))
    kill -s "$4" "$stray" 2>/dev/null
done
word=gone
[ "$count" = 0 ] || word="still $count"
printf 'PROCESSION-BEGIN 1\n%s\nPROCESSION-END 1\n' "$word"
