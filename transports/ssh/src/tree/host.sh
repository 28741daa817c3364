# What the host does for a transfer: one sh that reads commands from its standard input. Each line here ends so that all of
# them may be joined with spaces: the login shell that starts it may be a csh, which takes no newline in a quoted word.
# For the same reason there is no apostrophe and no exclamation mark in it.
LC_ALL=C; export LC_ALL; set -f;
say() { printf "%s\0" "$@"; };
fail() { say "fail $1"; exit 1; };
un() { v=$(printf "%bx" "$1"); v=${v%x}; };
has() { command -v "$1" >/dev/null 2>&1; };
if has b3sum; then tool=blake3; hash=b3sum;
elif has openssl; then tool=sha256; hash="openssl dgst -sha256 -r";
elif has sha256sum; then tool=sha256; hash=sha256sum;
elif has shasum; then tool=sha256; hash="shasum -a 256";
else tool=none; fi;
set +f; unset v send taker lister; IFS=" ";
printf "\0procession 1 %s\0" "$tool";
for p in tar xargs find dd; do has "$p" || { say "lacks $p"; exit 1; }; done;
[ "$tool" = none ] && { say "lacks sha256sum"; exit 1; };
# What the tools of this host can do is found out when it is needed, or while the other side is busy.
can_take() {
[ -z "$taker" ] || return 0; taker=1;
if dd bs=1 count=0 iflag=fullblock </dev/null >/dev/null 2>&1;
then take() { dd bs="$1" count=1 iflag=fullblock 2>/dev/null; };
else take() { head -c "$1"; }; fi;
};
can_list() {
[ -z "$lister" ] || return 0; lister=1;
if find . -prune -printf "" >/dev/null 2>&1; then
list() { find . -mindepth 1 -printf "%y %m %s %P\0%l\0"; };
one() { find "$1" -prune -printf "%y %m %s .\0%l\0"; };
else
show="set -f; for f do set -- \$(ls -ldn \"\$f\"); l=\$(readlink \"\$f\" 2>/dev/null); n=\${n-\${f#./}}; printf \"%s %s %s\\0%s\\0\" \"\$1\" \"\$5\" \"\$n\" \"\$l\"; unset n; done";
list() { find . -name . -o -exec sh -c "unset n; $show" sh {} +; };
one() { n=. sh -c "$show" sh "$1"; };
fi;
};
# Named files together: b3sum reads them itself, and its output stands for them.
all() { case $tool in blake3) xargs -0 b3sum --no-names --;; *) xargs -0 cat --;; esac; };
half() { h=$(if [ -s "$1" ]; then all <"$1"; fi | $hash); printf "%s\n" "${h%% *}"; };
mv="t=\$1; shift; exec mv -f -- \"\$@\" \"\$t\""; export mv;
each_dir="for d do find \"\$d/.\" -name . -o -type d -prune -o -exec sh -c \"\$mv\" sh \"../../\$d/\" {} + || exit 1; done"; export each_dir;
put() {
kind=$1; stage=$2; un "$3"; dest=$v;
case $dest in */*) up=${dest%/*}; up=${up:-/};; *) up=.;; esac; name=${dest##*/};
[ -d "$up" ] || mkdir -p -- "$up" || fail above;
here=none; if [ -d "$dest" ]; then here=dir; elif [ -e "$dest" ] || [ -L "$dest" ]; then here=other; fi;
case $kind-$here in
tree-dir) can_list; cd -- "$dest" || fail enter; say dir; list || fail list;;
tree-other|file-dir) say exists; exit 1;;
file-other) can_list; cd -- "$up" || fail enter; say file; one "./$name" || fail list;;
*) cd -- "$up" || fail enter; say none;;
esac;
say end; base=$PWD; can_list;
};
fill() {
trap "rm -rf -- \"\$base/\$stage\"" EXIT; trap "exit 1" HUP INT TERM PIPE;
mkdir -- "./$stage" || fail stage;
(cd "./$stage" && exec tar -xpomf -) || fail tar;
[ -f "./$stage/sum" ] || fail cut;
(cd "./$stage" && { half list0 >got0 & half list1 >got1; wait; });
is0=; is1=; for n in 0 1; do read -r is$n <"./$stage/got$n"; done; be0=; be1=; { read -r be0; read -r be1; } <"./$stage/sum";
[ -n "$be0" ] && [ -n "$be1" ] && [ "$is0 $is1" = "$be0 $be1" ] || fail sum;
case $kind-$here in
tree-dir)
(cd "./$stage/t" && find . -type d -exec sh -c "for d do [ -d \"../../\$d\" ] || mkdir -- \"../../\$d\" || exit 1; done" sh {} +) || fail move;
(cd "./$stage/t" && find . -type d -exec sh -c "eval \"\$each_dir\"" sh {} +) || fail move;;
tree-none) mv -- "./$stage/t" "./$name" || fail move; cd "./$name" || fail move;;
*) if [ -e "./$stage/t" ]; then mv -f -- "./$stage/t" "./$name" || fail move; fi;;
esac;
if [ -s "$base/$stage/modes" ]; then xargs -0 -n 2 chmod -- <"$base/$stage/modes" || fail modes; fi;
rm -rf -- "$base/$stage"; trap - EXIT;
say done; if [ $kind = tree ]; then list || fail list; else one "./$name" || fail list; fi; say end; exit 0;
};
get() {
can_list; un "$1"; if cd -- "$v" 2>/dev/null; then say dir; list || fail list; say end; else ls -d -- "$v/." >/dev/null; fail enter; fi;
};
each="h=\$($hash <\"\$1\" 2>/dev/null); printf \"%s\\0\" \"\${h%% *}-\"";
# b3sum hashes a file that it is given by name with all processors, and without reading it into a buffer.
of() { case $tool in blake3) b3sum --no-names -- "$1" 2>/dev/null;; *) $hash <"$1";; esac; };
whole() { un "$1"; h=$(of "$v"); say "${h%% *}"; };
part() { un "$1"; h=$(dd if="$v" bs=1048576 skip="$2" count="$3" 2>/dev/null | $hash); say "${h%% *}"; };
# A file that grows meanwhile is hashed as far as it was asked for; one that does not is hashed without a pipe.
raw() {
un "$1"; f=$v; whole=$(($2 + $3)); size=$((whole * 1048576 + $4));
{ h=$(of "$f"); [ "$(wc -c <"$f")" -eq $size ] 2>/dev/null || h=$(head -c $size <"$f" | $hash); printf "\0sum %s\0" "${h%% *}" >&2; } &
[ "$3" = 0 ] || dd if="$f" bs=1048576 skip="$2" count="$3" 2>/dev/null;
[ "$4" = 0 ] || dd if="$f" bs=1048576 skip=$whole count=1 2>/dev/null | head -c "$4"; wait;
};
gone() {
un "$1"; was=absent; if [ -e "$v" ] || [ -L "$v" ]; then was=removed; fi; rm -rf -- "$v" || fail remove; say $was;
};
while read -r verb a b c d; do case $verb in
put) put "$a" "$b" "$c";;
get) get "$a";;
hash) can_take; take "$a" | xargs -0 $hash 2>/dev/null | tr "\n" "\0"; say end;;
each) can_take; take "$a" | xargs -0 -n 1 sh -c "$each" sh; say end;;
part) part "$a" "$b" "$c";;
whole) whole "$a";;
fill) fill;;
sum) can_take; h=$(take "$a" | xargs -0 cat -- | $hash); say "${h%% *}";;
send) can_take; [ -n "$send" ] || { send="tar --no-unquote -cf -"; $send -T /dev/null >/dev/null 2>&1 || send="tar -cf -"; };
take "$a" | xargs -0 $send || exit 1;;
raw) raw "$a" "$b" "$c" "$d";;
gone) gone "$a";;
quit) exit 0;;
*) fail verb;;
esac; done; exit 1
