# How far are all our jobs here? One listing, of all that Slurm still has in its memory, whoever is asked about.
# Answers a line for each: ID|STATE|REASON|NAME; the name comes last, because others may have any text in theirs.
echo 'PROCESSION-BEGIN 1'
squeue -h -a -t all -u "$me" -o '%i|%T|%r|%j' || exit 1
echo 'PROCESSION-END 1'
