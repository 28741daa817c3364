# How far are these jobs? One listing of the processes for all of them.
# $1 sandbox  $2 attempt  $3 name of the job, and so on in threes
# Answers a line for each: NAME pending | running | exited | absent
LC_ALL=C
export LC_ALL
# The listing comes first: a job that ends after it has left its evidence by the time we look for that.
list=$(ps -ww -eo pid=,pgid=,stat=,args=) || exit 1
[ -n "$list" ] || exit 1
alive=$(printf '%s\n' "$list" | awk '$3 !~ /^Z/ {
    for (i = 4; i < NF; i++) if ($i ~ /^\.(job|payload)-[0-9]+$/ && $(i + 1) ~ /^procession-/) print " " $(i + 1) " "
}')
echo 'PROCESSION-BEGIN 1'
while [ $# -ge 3 ]; do
    word=absent
    case "$alive" in
    *" $3 "*)
        word=pending
        [ -d "$1/.attempt-$2/started" ] && word=running
        ;;
    esac
    # Without its sandbox a job can neither start nor leave evidence, whatever of it is still alive.
    [ -d "$1" ] || word=absent
    [ -f "$1/.attempt-$2/exit" ] && word=exited
    printf '%s %s\n' "$3" "$word"
    shift 3
done
echo 'PROCESSION-END 1'
