# Of all who ever come this far for an attempt, one makes this file: a submission, or whoever sees to it that there is none. The
# folder around it is staged with the sandbox, so that nobody needs a process for that.
# $1 folder of the attempt
begin() {
    set -C
    { true >"$1/begun"; } 2>/dev/null
    mine=$?
    set +C
    return "$mine"
}
