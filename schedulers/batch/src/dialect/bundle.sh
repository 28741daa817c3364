# Runs one script for several jobs, one after the other, each in a shell of its own, as if each had come alone.
# $1 script  $2 seconds after which no more are begun; and then for each job: how many arguments it has, and these
# Answers for each: PROCESSION-PART 1, all that the script says, and PROCESSION-OVER 1 CODE; at the end PROCESSION-LEFT 1 N,
# where N were not begun.
script=$1 most=$2
shift 2
# Costs no process. A system without this file lets the time limit of the whole command decide.
uptime() {
    { IFS=. read -r now _ </proc/uptime; } 2>/dev/null || now=0
}
uptime
began=$now left=0
while [ $# -gt 0 ]; do
    uptime
    if [ $((now - began)) -ge "$most" ]; then
        left=$((left + 1))
        shift $(($1 + 1))
        continue
    fi
    count=$1 args='' i=0
    shift
    while [ "$i" -lt "$count" ]; do
        i=$((i + 1))
        args="$args \"\${$i}\""
    done
    echo 'PROCESSION-PART 1'
    (
        eval "set -- $args"
        eval "$script"
    )
    printf '\nPROCESSION-OVER 1 %s\n' "$?"
    shift "$count"
done
echo "PROCESSION-LEFT 1 $left"
