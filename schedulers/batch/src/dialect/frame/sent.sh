# Whether a frame, $1, and the files of its payload are there and not empty: a host that went down since they were sent may
# have lost them. It reads them by no process.
is_sent() {
    [ -s "$1" ] || return 1
    while IFS= read -r line; do
        case $line in
        parts=*)
            parts=${line#parts=\'}
            for part in ${parts%\'}; do
                [ -s "${1%/*}/$part" ] || return 1
            done
            return 0
            ;;
        esac
    done <"$1"
}
