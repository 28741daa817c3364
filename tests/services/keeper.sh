# What the services share. Sourced by them; it does nothing by itself.
#
# A service lives in one folder, on the loopback, and has a keeper: the script itself. The keeper
#   - tells facts about the service as lines `NAME=VALUE`, and then `ready`;
#   - reads orders from its standard input, one a line, and answers each with `done` or `failed: WHY`;
#   - ends when its input ends (so also when a test is killed), and takes with it every process of the service, and the folder.
#
# How it knows them: the environment of a daemon, of what it starts and of the jobs of users holds a variable that points
# into the folder; and a daemon that has overwritten its environment still has its errors go to a file in the folder.
# shellcheck shell=bash

set -u
umask 022
PATH=$PATH:/usr/sbin:/sbin
dir='' keep='' ports=''
# What the service prints when it could not come up, beside its reason.
logs=()

# fail WHY: the service can't be brought up.
fail() {
    echo "failed: $*"
    local log
    for log in "${logs[@]}"; do [ ! -s "$log" ] || { echo "--- $log" && tail -n 15 "$log"; } >&2; done
    exit 1
}

# need PROGRAM PACKAGE: exit code 3 and one line that says what to install.
need() {
    command -v "$1" >/dev/null && return
    echo "missing: $1 (apt-get install $2, or ./test --install)"
    exit 3
}

# open_folder: makes the folder, if nobody gave one, and sees to its end.
open_folder() {
    [ -n "$dir" ] || dir=$(mktemp -d "${TMPDIR:-/tmp}/procession-service.XXXXXX") || fail "no folder"
    mkdir -p "$dir"/{etc,log,run} || fail "no folder"
    dir=$(realpath "$dir")
    [[ $dir =~ ^[A-Za-z0-9/._-]+$ ]] || fail "$dir: letters, digits and /._- only, for the files of the daemons"
    export PROCESSION_SERVICE=$dir
    trap close_folder EXIT
    # Only the end of the input ends the keeper: a Ctrl-C in the terminal of the test arrives here too.
    trap '' INT HUP
    trap 'exit 0' TERM
}

close_folder() {
    local round pids
    # Or we would find the very programs that look.
    unset PROCESSION_SERVICE SLURM_CONF SGE_ROOT
    for round in {1..400}; do
        pids=$(members)
        [ -n "$pids" ] || break
        # shellcheck disable=SC2086
        kill -KILL $pids 2>/dev/null
        sleep 0.02
    done
    [ -z "$ports" ] || rm -f "$ports"
    [ -n "$keep" ] || rm -rf "$dir"
    [ -z "$pids" ] || echo "these would not die: $pids (round $round)" >&2
}

# members: the processes of this service, but not the keeper.
members() {
    local pid
    for pid in $(
        {
            # Sockets and files of others may go away under us, hence the silence.
            grep -lsz -E "^(PROCESSION_SERVICE|SLURM_CONF|SGE_ROOT)=$dir(/|\$)" /proc/[0-9]*/environ
            find /proc/[0-9]*/fd/2 -maxdepth 0 -lname "$dir/*" 2>/dev/null
        } | cut -d/ -f3 | sort -un
    ); do
        [ "$pid" = $$ ] || [ "$pid" = "$BASHPID" ] || ! alive "$pid" || echo "$pid"
    done
}

# alive PID: a zombie is dead.
alive() {
    local stat
    # With a number: in a trap, a bare return tells of what came before the trap.
    read -r stat <"/proc/$1/stat" || return 1
    stat=${stat##*) }
    [ "${stat%% *}" != Z ]
} 2>/dev/null

# descendants PID: its children, and theirs.
descendants() {
    ps -e -o pid=,ppid= | awk -v root="$1" '
        { parent[$1] = $2 }
        END { for (pid in parent) { up = pid; for (n = 0; n < 64 && up in parent && up != root; n++) up = parent[up]
              if (up == root && pid != root) print pid } }'
}

# reserve_ports COUNT: sets `port` to the first of so many that are free. They are ours while the keeper lives, below those
# that the kernel gives out by itself.
reserve_ports() {
    local count=$1 block lock n busy
    for block in $(shuf -i 0-249); do
        lock=${TMPDIR:-/tmp}/procession-ports.$block
        # Whoever holds the file has the block. Its daemons inherit the descriptor, and hold it as long as they live.
        { exec {hold}>>"$lock"; } 2>/dev/null || continue
        # The same file still? Its last holder may have removed it in between.
        if flock -n "$hold" && [ "/proc/$$/fd/$hold" -ef "$lock" ]; then
            port=$((20000 + 50 * block)) busy=''
            for ((n = 0; n < count; n++)); do
                (exec 3<>"/dev/tcp/127.0.0.1/$((port + n))") 2>/dev/null && busy=yes
            done
            [ -n "$busy" ] || { ports=$lock && return; }
        fi
        exec {hold}>&-
    done
    fail "no free port"
}

# eventually COUNT COMMAND…: tries up to COUNT times, 20 a second.
eventually() {
    local n count=$1
    shift
    for ((n = 0; n < count; n++)); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.05
    done
    return 1
}

# started NAME COMMAND…: a daemon in the background, and its pid in `run/NAME.pid`.
started() {
    local name=$1
    shift
    "$@" >>"$dir/log/$name.out" 2>&1 </dev/null &
    echo $! >"$dir/run/$name.pid"
    # Or bash would tell everybody how it ended.
    disown $!
}

# pid_of NAME: of a daemon that was `started` and has not ended.
pid_of() {
    local pid
    pid=$(cat "$dir/run/$1.pid" 2>/dev/null) && alive "$pid" && echo "$pid"
}

# signal NAME SIGNAL: to that daemon alone; with KILL it is gone when this returns.
signal() {
    local pid
    pid=$(pid_of "$1") || { echo "there is no $1" && return 1; }
    kill "-$2" "$pid" || return
    [ "$2" != KILL ] || eventually 400 dead "$pid"
}

dead() { ! alive "$1"; }

# attend: orders, until there are no more. `order VERB WORD…` is the service's own; what it prints is why it failed.
attend() {
    local line said
    echo ready
    while read -r line; do
        # shellcheck disable=SC2086
        if order $line >"$dir/run/answer" 2>&1; then
            echo "done"
        else
            said=$(tail -n 1 "$dir/run/answer")
            echo "failed: ${said:-$line}"
        fi
    done
}
