# The commands of PBS Pro, OpenPBS and Torque, in the words of the protocol.
programs='qsub qselect qstat qdel'
# Where it is set, Torque hides what has ended.
unset PBS_QSTAT_NO_COMPLETE
# put ATTEMPT NAME OPTION…: submits; prints the id.
put() {
    file=".job-$1"
    label=$2
    shift 2
    qsub -N "$label" -S /bin/sh -o /dev/null -e /dev/null -r n "$@" "$file"
}
# `12.server`, of an array `12[].server`. Hooks of a site may print lines of their own before it.
id_of() {
    sed -n 's/^\([0-9][0-9]*\(\[\]\)*\(\.[A-Za-z0-9._-]*\)*\)$/\1/p' | tail -n 1
}
# Of `qstat -f`, the lines that we read, each whole. A job that ended meanwhile is no error; a server that is away is.
rows_of() {
    xargs -n 100 qstat "$@" 2>&1 | awk '
        function flush() {
            if (line ~ /^ +(Job_Name|job_state|comment|[Ee]xit_status|substate|Resource_List.walltime|resources_used.walltime) = /) print line
            line = ""
        }
        /^qstat: / && !/Unknown Job|has finished/ { away = 1 }
        /^(Connection refused|Cannot connect|cannot connect|pbs_iff|No Permission)/ { away = 1 }
        /^Job Id:/ { flush(); print; next }
        /^(\t|        )/ { sub(/^(\t|        )/, ""); line = line $0; next }
        /^    / { flush(); line = $0; next }
        END { flush(); exit away }'
}
list() {
    numbers=$(qselect -u "$(id -un)") || return 1
    [ -z "$numbers" ] || printf '%s\n' "$numbers" | rows_of -f
}
# pick NAME live|any: the ids among these rows; C, F and X have ended.
pick() {
    awk -v name="$1" -v which="$2" '
        function tell() { if (hit && (which == "any" || state !~ /^[CFX]$/)) print id }
        /^Job Id:/ { tell(); id = $3; hit = 0; state = "" }
        $1 == "Job_Name" { hit = ($3 == name) }
        $1 == "job_state" { state = $3 }
        END { tell() }'
}
drop() {
    qdel "$2"
}
# PBS Pro keeps what has ended if its administrator wants it to. To Torque `-x` means XML, and there is nothing to ask.
recall() {
    case "$(qstat --version 2>&1)" in
    *[Pp][Bb][Ss]_version* | *PBSPro* | *OpenPBS* | *openpbs*) ;;
    *) return 0 ;;
    esac
    numbers=$(qselect -x -N "$1") || return 0
    [ -z "$numbers" ] || printf '%s\n' "$numbers" | rows_of -x -t -f
}
