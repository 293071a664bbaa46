#!/bin/bash
# The helps, the man page and the option tables name the same options; the page is clean.
set -eu
fail() {
	echo "$1" >&2
	exit 1
}
in_help() {
	for command in run dump list status; do
		"$B"/bin/sigdump $command --help
	done | sed -nE 's/^ +(-([A-Za-z]),)? +--([a-z-]+).*/\2 \3/p' | grep -vx 'h help\|V version' | sort -u
}
in_page() {
	sed -nE 's/^\.It Fl ([A-Za-z]) , Fl -([a-z-]+).*/\1 \2/p; s/^\.It Fl -([a-z-]+).*/ \1/p' \
		sigdump/sigdump.1 | sort -u
}
diff <(in_help) <(in_page) || fail "helps (<) and man page (>) differ"
[ "$(in_help | wc -l)" -ge 18 ] || fail "no options found in the helps"
warnings=$(groff -mdoc -Tutf8 -ww -z sigdump/sigdump.1 2>&1)
[ -z "$warnings" ] || fail "$warnings"

for command in "" run dump list status; do
	wide=$("$B"/bin/sigdump $command --help | awk 'length > 100')
	[ -z "$wide" ] || fail "wider than 100 columns: $wide"
	[ "$("$B"/bin/sigdump $command -h | wc -l)" -le 20 ] || fail "-h is longer than 20 lines"
	"$B"/bin/sigdump $command --version | grep -q '^sigdump.* [0-9]' || fail "no version"
done
