# Which of these patterns are in what was written since the last look?
# $1 most bytes of a file to look at, then in fives:
# name of the job, number of the monitor, file, where to begin, pattern (an extended regular expression)
# Answers for each: look NAME MONITOR SEEN, and then "match LINE" (the first one, cut short), or "misread WHY"
LC_ALL=C
export LC_ALL
most=$1
shift
echo 'PROCESSION-BEGIN 1'
while [ $# -ge 5 ]; do
    # A file that is not there yet has nothing in it.
    size=$(wc -c <"$3" 2>/dev/null | tr -d ' ')
    size=${size:-0}
    from=$4
    # It was begun anew.
    [ "$size" -ge "$from" ] || from=0
    seen=$size
    [ $((size - from)) -le "$most" ] || seen=$((from + most))
    printf 'look %s %s %s\n' "$1" "$2" "$seen"
    if [ "$size" -gt "$from" ]; then
        tail -c "+$((from + 1))" "$3" 2>/dev/null | head -c "$most" | {
            grep -a -m 1 -E -e "$5" 2>&1
            echo "code $?"
        } | cut -c 1-200 | {
            IFS= read -r line
            IFS= read -r code
            case "$line $code" in
            'code 1 ') ;;
            *' code 0') printf 'match %s\n' "$line" ;;
            *) printf 'misread %s\n' "$line" ;;
            esac
        }
    fi
    shift 5
done
echo 'PROCESSION-END 1'
