# usage: pi.sh ROUNDS DARTS
# Writes a file for each round into rounds/, and the mean of all into pi.txt.
set -eu
mkdir -p rounds
for round in $(seq "$1"); do
    awk -f darts.awk -v seed="$round" -v darts="$2" >"rounds/$round.txt"
    echo "round $round of $1: $(cat "rounds/$round.txt")"
    sleep 0.2
done
awk '{ sum += $1 } END { printf "%.4f\n", sum / NR }' rounds/*.txt >pi.txt
echo "pi is about $(cat pi.txt)"
