# The commands of Grid Engine, in the words of the protocol.
programs='qsub qstat qdel'
# put ATTEMPT NAME OPTION…: submits; prints the id.
put() {
    file=".job-$1"
    label=$2
    shift 2
    qsub -terse -cwd -S /bin/sh -N "$label" -o /dev/null -e /dev/null -r n -notify "$@" "$file"
}
# An array is `5.1-3:1`; its id is 5. Sites let their checks print lines of their own before it.
id_of() {
    sed -n 's/^\([0-9][0-9]*\)\(\.[0-9][0-9:-]*\)*$/\1/p' | tail -n 1
}
# Our jobs among the user's: for each the lines of its number, name, state and tasks.
list() {
    listing=$(qstat -xml -u "$(id -un)") || return 1
    case "$listing" in
    *'</job_info>'*) ;;
    *) return 1 ;;
    esac
    printf '%s\n' "$listing" | awk '
        /<job_list/ { job = "" }
        /<(JB_job_number|JB_name|state|tasks)>/ { sub(/^ +/, ""); job = job $0 "\n" }
        /<\/job_list>/ { if (job ~ /<JB_name>procession-/) printf "%s</job_list>\n", job }'
}
# pick NAME: the ids among these rows. What has ended is not listed.
pick() {
    awk -F '[<>]' -v name="$1" '
        $2 == "JB_job_number" { id = $3 }
        $2 == "JB_name" && $3 == name && !seen[id]++ { print id }'
}
drop() {
    qdel "$2"
}
# The record of a job that has ended, without what nobody asks for.
recall() {
    qacct -j "$1" | awk '$1 ~ /^(=+|jobname|jobnumber|taskid|failed|exit_status|ru_wallclock|category|deleted_by)$/'
}
