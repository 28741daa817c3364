# Of all who ever come this far for an attempt, one makes this file: a submission, or whoever sees to it that there is none. The
# folder around it is staged with the sandbox, so that a submission needs no process for that.
# $1 folder of the attempt
begin() {
    [ -d "$1" ] || mkdir "$1" 2>/dev/null
    set -C
    { true >"$1/begun"; } 2>/dev/null
    mine=$?
    set +C
    return "$mine"
}
