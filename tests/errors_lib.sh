# For shminspect_errors.sh and shmtop_errors.sh: files that are no input of `tool`, and what it must say.
dir=$TMPDIR/x
bin=$PWD/$B/bin/$tool
failed=0
mkdir "$dir"
trap 'rm -rf "$dir"' EXIT

# expect STATUS TEXT ARGS...: nothing on stdout, on stderr one error that begins so, and what next
expect() {
	local status=$1 text=$2 got out
	shift 2
	out=$(cd "$dir" && timeout 20 "$bin" "$@" 2>"$dir/.err")
	got=$?
	if [ $got != "$status" ] || [ -n "$out" ] || [[ $(head -n 1 "$dir/.err") != "$tool: error: $text"* ]] ||
		[ "$(grep -c 'error:' "$dir/.err")" != 1 ] || ! grep -q '^  next: ' "$dir/.err"; then
		echo "$tool $*: status $got (wanted $status), said:" >&2
		sed 's/^/    /' "$dir/.err" >&2
		echo "    wanted: $tool: error: $text" >&2
		failed=1
	fi
}

cd "$dir" || exit 1
printf '\177ELF%060d' 0 >elf
: >empty
printf 'hello, world, this is no hub at all\n' >text
echo '{"v":1,"x":2}' >x.ndjson
mkdir nofeeds
mkfifo fifo
printf '\211SHMHUB\n' >short.hub
{ printf '\211SHMHUB\n\004\003\002\001\007\000\000\000\000\020\000\000\000\020\000\000' && head -c 8192 /dev/zero; } >new.hub
head -c 8192 /dev/zero >zero.hub
cd - >/dev/null || exit 1
