#!/bin/bash
# Every page of section 1 ends its questions: exit status, and examples that begin with a symptom.
# shmscope-findings(7) is made from the rules: each with its texts, and clean.
set -u
fail() { echo "$*" >&2; exit 1; }
trap 'rm -rf "$TMPDIR"/*' EXIT
for page in sigdump/sigdump.1 shmtop/shmtop.1 shminspect/shminspect.1; do
	for section in NAME SYNOPSIS DESCRIPTION 'EXIT STATUS' EXAMPLES 'SEE ALSO'; do
		grep -qE "^\.Sh \"?$section\"?$" $page || fail "$page: no $section"
	done
	# the line after .Sh EXAMPLES is what somebody sees, not a command
	first=$(sed -n '/^\.Sh EXAMPLES/{n;p;}' $page)
	case $first in [A-Z]*) ;; *) fail "$page: EXAMPLES begin with: $first" ;; esac
	grep -q '^\.Xr shmscope-findings 7' $page || fail "$page: does not name shmscope-findings(7)"
	wide=$(groff -mdoc -Tascii -rLL=80n $page 2>&1 | sed 's/.\x08//g; s/\x1b\[[0-9;]*m//g' | awk 'length > 81')
	[ -z "$wide" ] || fail "$page: wider than 80 columns: $wide"
	# .Pq Ql A , Ql B is one quotation in another for mdoc
	nested=$(groff -mdoc -Tutf8 -rLL=80n -P-c -P-b -P-u -P-o $page 2>&1 | tr '\n' ' ' | grep -oE '‘[^’]{0,40}‘.{0,40}')
	[ -z "$nested" ] || fail "$page: a quotation that is not closed: $nested"
done

page=$TMPDIR/shmscope-findings.7
"$B/bin/shminspect" --findings-page >"$page" || fail "--findings-page"
warnings=$(groff -mdoc -Tutf8 -ww -z "$page" 2>&1)
[ -z "$warnings" ] || fail "$warnings"
letters() { tr -cd 'A-Za-z0-9'; } # a page is wrapped elsewhere, and hyphenated
text=$(groff -mdoc -Tascii -P-c -P-b -P-u -P-o "$page" | letters)
names=$("$B/bin/shminspect" --explain list | sed -nE 's/^  ([a-z-]+) .*/\1/p')
[ "$(wc -l <<<"$names")" -ge 15 ] || fail "names: $names"
for name in $names; do
	grep -qx "\.Ss $name" "$page" || fail "no section about $name"
	for label in 'what it is' 'detected by' 'usual causes' 'how to fix' 'mistaken for' confirmed 'seen in'; do
		said=$("$B/bin/shminspect" --explain "$name" | awk -v l="$label" \
			'substr($0, 1, length(l)) == l { on = 1; print substr($0, 15); next } /^[a-z]/ { on = 0 } on' | letters)
		[ -n "$said" ] || fail "$name: nothing said as $label"
		grep -qF -- "$said" <<<"$text" || fail "$name: not in the page: $said"
	done
done
