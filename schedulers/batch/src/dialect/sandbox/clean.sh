# Removes a sandbox of ours, and nothing else.
# $1 sandbox  $2 attempt  $3 name of the job, which must be the last part of the path
# Answers: gone | left (something could not be removed) | refused
answer() {
    printf 'PROCESSION-BEGIN 1\n%s\nPROCESSION-END 1\n' "$1"
    exit 0
}
case "$3" in
procession-*-*-*) ;;
*) answer refused ;;
esac
[ "${1##*/}" = "$3" ] || answer refused
case "/$1/" in
*/../*) answer refused ;;
esac
# Renamed first: a late submission finds no sandbox at once, and not one that is half gone.
rm -rf "$1.gone"
[ ! -d "$1" ] || mv "$1" "$1.gone"
rm -rf "$1.gone"
[ -e "$1" ] || [ -e "$1.gone" ] && answer left
answer gone
