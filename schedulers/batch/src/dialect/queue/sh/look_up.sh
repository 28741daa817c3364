# The same, and then all that the scheduler remembers of these jobs.
# $1 sandbox  $2 attempt  $3 name of the job, and so on in threes
# Answers the rows of the listing, a line `past`, and what was remembered.
rows=$(list) || exit 1
printf 'PROCESSION-BEGIN 1\n%s\npast\n' "$rows"
while [ $# -ge 3 ]; do
    # Without accounting there is nothing to remember, and that is no error.
    recall "$3" 2>/dev/null </dev/null
    shift 3
done
printf '\nPROCESSION-END 1\n'
