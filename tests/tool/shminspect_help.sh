#!/bin/bash
# The help, the man page and the option table name the same options; the page is clean.
set -eu
fail() {
	echo "$1" >&2
	exit 1
}
in_help() { "$B"/bin/shminspect --help | sed -nE 's/^ +(-([A-Za-z]),)? +--([a-z-]+).*/\2 \3/p' | sort; }
in_page() {
	sed -nE 's/^\.It Fl ([A-Za-z]) , Fl -([a-z-]+).*/\1 \2/p; s/^\.It Fl -([a-z-]+).*/ \1/p' \
		shminspect/shminspect.1 | sort
}
diff <(in_help) <(in_page) || fail "help (<) and man page (>) differ"
[ "$(in_help | wc -l)" -ge 18 ] || fail "no options found in the help"
warnings=$(groff -mdoc -Tutf8 -ww -z shminspect/shminspect.1 2>&1)
[ -z "$warnings" ] || fail "$warnings"

[ "$("$B"/bin/shminspect -h | wc -l)" = 20 ] || fail "-h is not the first 20 lines"
"$B"/bin/shminspect --version | grep -q '^shminspect [0-9]' || fail "no version"
id=$(readelf -n "$B/bin/shminspect" 2>/dev/null | sed -n 's/.*Build ID: //p')
[ -z "$id" ] || "$B"/bin/shminspect --version | grep -qx "build id: $id" || fail "not its build id, $id"
wide=$("$B"/bin/shminspect --help | awk 'length > 100')
[ -z "$wide" ] || fail "wider than 100 columns: $wide"
