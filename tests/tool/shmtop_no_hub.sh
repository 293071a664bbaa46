#!/bin/bash
# Without any hub of this user there is one sentence, on stderr, and status 3.
set -u
user=$(id -u)
run() { "$B"/bin/shmtop "$@"; }
if [ "$user" = 0 ] && command -v setpriv >/dev/null; then
	# root may look at everybody's: be somebody who has none
	user=65533
	chmod 755 "$TMPDIR"
	cp "$B"/bin/shmtop "$TMPDIR"/shmtop
	trap 'rm -f "$TMPDIR"/shmtop' EXIT
	run() { setpriv --reuid=$user --regid=$user --clear-groups "$TMPDIR"/shmtop "$@"; }
fi
for how in "" "-b -n 1"; do
	out=$(run $how 2>&1 >/dev/null)
	status=$?
	want="no hub found for UID $user (looked in /dev/shm and the feed directory). Try: make demo, or shmtop PATH"
	if [ $status != 3 ] || [ "$out" != "$want" ]; then
		echo "status $status, said: $out" >&2
		exit 1
	fi
done
