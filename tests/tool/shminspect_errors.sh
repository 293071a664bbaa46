#!/bin/bash
# Every wrong input and every wrong option: one error in the documented form, the documented
# status, nothing on stdout.
set -u
tool=shminspect
. tests/errors_lib.sh

# files
expect 4 "elf: not a hub file (starts with 7f 45 4c 46, an ELF object)" elf
expect 4 "empty: " empty
expect 4 "text: not a hub file" text
expect 4 "x.ndjson: not a feed" x.ndjson
expect 4 "fifo: not a hub file (a fifo)" fifo
expect 4 "short.hub: truncated inside its header" short.hub
expect 4 "new.hub: hub layout version 7, this build reads 1" new.hub
expect 4 "zero.hub: not a hub file" zero.hub
expect 3 "missing: cannot be read (No such file or directory)" missing
expect 3 "nofeeds: no feeds in this directory" nofeeds
expect 4 "elf: not a hub file" --json elf
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	cp "$bin" "$dir/bin" && chmod 755 "$dir/bin" "$dir" "$TMPDIR"
	chmod 600 "$dir/text"
	bin() { setpriv --reuid=65534 --regid=65534 --clear-groups "$dir/bin" "$@"; }
	(cd "$dir" && bin text) >/dev/null 2>"$dir/.err"
	status=$?
	if [ $status != 3 ] || ! grep -q '^shminspect: error: text: cannot be read (Permission denied)' "$dir/.err"; then
		echo "unreadable: status $status: $(cat "$dir/.err")" >&2
		failed=1
	fi
else
	chmod 000 "$dir/text"
	expect 3 "text: cannot be read (Permission denied)" text
fi

# usage
expect 2 "FILE: missing" --json
expect 2 "--colour: unknown option (did you mean --color?)" --colour x
expect 2 '--color: "blue" is none of auto, always, never' --color blue x
expect 2 '--format: "html5" is none of text, json' -f html5 x
expect 2 '--fail-on: "error" is none of critical, warning, info, never' --fail-on error x
expect 2 '--since: "yesterday"' --since yesterday x
expect 2 "--since: lies after --until" --since 1m --until 2m x
expect 2 "--output: needs an argument" -o
expect 2 "empty: exists already; not overwritten" -o empty elf
expect 2 '--explain: no finding "missed-wakup" (did you mean missed-wakeup?)' --explain missed-wakup
expect 2 '--explain: no finding "xyz"' --explain xyz
expect 2 "--explain: takes a name and no files" --explain ring-full empty
[ ! -s "$dir/empty" ] || { echo "-o wrote into a file that existed" >&2; failed=1; }
exit $failed
