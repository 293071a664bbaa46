#!/bin/bash
# sigdump.h: what a program says about itself is in its dumps, and it works without the library.
. tests/sigdump_lib.sh

# without the library every call is -ENOSYS, in position-dependent programs as well
for flags in "-no-pie -fno-pie" "-pie -fPIE"; do
	${CC:-gcc} -I. -D_GNU_SOURCE $flags -o "$TMPDIR/registers" tests/fixture/registers.c || fail "$flags"
	equal "$(echo | "$TMPDIR/registers" /etc/passwd 1 | grep -v ready | tr '\n' ' ')" \
		"name -38 hub -38 wrong -38 child -38 hub -38 again -38 child -38 " "without the library, $flags"
	equal "$("$SIGDUMP" run -- "$TMPDIR/registers" /etc/passwd 1 </dev/null | head -n 1)" \
		"name 0 hub 0 wrong -22 child 0" "with the library, $flags"
done
rm -rf "$TMPDIR/registers"

"$B/bin/sigdump" run -- sleep 60 &
child=$!
echo "not a hub" >"$TMPDIR/file"
start registers "$TMPDIR/file" $child
read_line
equal "$line" "name 0 hub 0 wrong -22 child 0" "registering"
await_ready
equal "$(ls /proc/"$pid"/task | wc -l)" 2 "a registered hub brings the dumper"
"$SIGDUMP" dump -q -f ndjson -p "$pid" -o "$TMPDIR/records" || fail "dump"
# the child has no dumper: it is looked at from outside, beside its parent's own dump
equal "$(select_records 'select(.t=="dump") | [.why,.name]' "$TMPDIR/records" | sort)" \
	$'["control","patient"]\n["outside",null]' "its name"
equal "$(select_records 'select(.t=="hub") | [.role,.peer,.error]' "$TMPDIR/records" | sort -u)" \
	'["peer",3,"not a hub file"]' "a hub that is none"
equal "$(select_records 'select(.t=="child") | [.pid,.told,.reason]' "$TMPDIR/records")" \
	"[$child,false,\"it has no dumper of its own\"]" "its child"
equal "$(basename "$(feed_of "$pid")" | cut -d- -f1)" patient "the feed's name"
ok grep -q "^ *$pid  patient " <("$SIGDUMP" list)

echo >&"$to"
read_line
equal "$line" "hub 0 again -2 child 0" "taking back"
"$SIGDUMP" dump -q --force -f ndjson -p "$pid" -o "$TMPDIR/records" || fail "dump"
equal "$(count_records 'select(.t=="hub" or .t=="child")' "$TMPDIR/records")" 0 "taken back"

# a namespace that only a process with one thread may enter; the dumper comes back afterwards
echo >&"$to"
read_line
case $line in
"unshare worked") ;;
"unshare Operation not permitted" | "unshare No space left on device") echo "user namespaces are forbidden here" ;;
*) fail "$line" ;;
esac
equal "$(ls /proc/"$pid"/task | wc -l)" 2 "the dumper is back"
kill -USR1 "$pid"
await_dumps "$pid" 3
kill "$child"
finish
valid_feeds
cleanup
