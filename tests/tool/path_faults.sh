#!/bin/bash
# The four faults of the demo reach their finding, at the right peer and ring, from a live look,
# from feeds, and from the hub file after everybody was killed; nothing else is found.
# time limit: 240
set -u
[ -z "${SAN:-}" ] || { echo "skipped: the plain build is what it is about"; exit 77; }
scripts/matrix --faults 'lost-bell,lost-bell:to=host,deaf-peer,blocked-peer:in=read,killed-peer' \
	>"$TMPDIR/out" 2>&1
status=$?
[ $status -eq 0 ] || cat "$TMPDIR/out"
rm -f "$TMPDIR/out"
exit $status
