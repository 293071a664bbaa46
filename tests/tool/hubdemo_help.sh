#!/bin/bash
# The help, the man page and the option table name the same options; the page is clean.
set -eu
fail() {
	echo "$1" >&2
	exit 1
}
in_help() { "$B"/bin/hubdemo --help | sed -nE 's/^ +(-([A-Za-z]),)? +--([a-z-]+).*/\2 \3/p' | sort; }
in_page() {
	sed -nE 's/^\.It Fl ([A-Za-z]) , Fl -([a-z-]+).*/\1 \2/p; s/^\.It Fl -([a-z-]+).*/ \1/p' \
		tests/sut/hubdemo.1 | sort
}
diff <(in_help) <(in_page) || fail "help (<) and man page (>) differ"
[ "$(in_help | wc -l)" -ge 15 ] || fail "no options found in the help"
warnings=$(groff -mdoc -Tutf8 -ww -z tests/sut/hubdemo.1 2>&1)
[ -z "$warnings" ] || fail "$warnings"
wide=$("$B"/bin/hubdemo --help | awk 'length > 100')
[ -z "$wide" ] || fail "wider than 100 columns: $wide"

# every fault of the help is one that the demo can ask for
for fault in $("$B"/bin/hubdemo --help | sed -nE '1,/^Faults/d; s/^  ([a-z-]+).*/\1/p'); do
	grep -q "^$fault|" scripts/demo || fail "the demo does not know $fault"
done
