# What there is to know about a host, in one command.
# $1 its scheduler, by its word in the file of hosts
# Answers lines of a word and a text; one that is missing could not be found out.
LC_ALL=C
export LC_ALL
say() { [ -z "$2" ] || printf '%s %s\n' "$1" "$2"; }
first() { sed -n '1{s/^[[:space:]]*//;p;}'; }
needs() { for tool; do command -v "$tool" >/dev/null 2>&1 || say missing "$tool"; done; }
echo 'PROCESSION-BEGIN 1'
say time "$(date +%s)"
say system "$(uname -sr)"
say user "$(id -un)"
say folder "$(pwd)"
# POSIX form: the fourth column is what is free, in blocks of 1024 bytes.
say free "$(df -Pk . 2>/dev/null | awk 'NR == 2 { print $4 }')"
needs awk sed ps find
case "$1" in
direct)
    needs setsid flock
    say scheduler "none"
    ;;
slurm)
    needs sbatch squeue scancel
    say scheduler "$(sbatch --version 2>/dev/null | first)"
    # It fails if the controller does not answer.
    queues=$(sinfo -h -o %R 2>&1) && for queue in $queues; do say queue "$queue"; done || say silent "$(printf '%s\n' "$queues" | first)"
    ;;
pbs | torque)
    needs qsub qstat qdel
    say scheduler "$(qstat --version 2>&1 | first)"
    queues=$(qstat -Q 2>&1) && for queue in $(printf '%s\n' "$queues" | awk 'NR > 2 { print $1 }'); do say queue "$queue"; done ||
        say silent "$(printf '%s\n' "$queues" | first)"
    ;;
gridengine)
    needs qsub qstat qdel
    say scheduler "$(qstat -help 2>&1 | first)"
    queues=$(qconf -sql 2>&1) && for queue in $queues; do say queue "$queue"; done || say silent "$(printf '%s\n' "$queues" | first)"
    ;;
lsf)
    needs bsub bjobs bkill
    say scheduler "$(lsid -V 2>&1 | first)"
    queues=$(bqueues -w 2>&1) && for queue in $(printf '%s\n' "$queues" | awk 'NR > 1 { print $1 }'); do say queue "$queue"; done ||
        say silent "$(printf '%s\n' "$queues" | first)"
    ;;
esac
echo 'PROCESSION-END 1'
