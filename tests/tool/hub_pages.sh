#!/bin/bash
# hub.5, shmhub.3 and shmhub.7 are clean mdoc; shmhub.3 tells of each function that shmhub.map
# exports or the header has inline, with the prototype of the header, and of nothing else.
# (hub.5 against hub_format.h: tests/unit/hub_page_test.c)
set -u
bad=0
for page in lib/hub/hub.5 lib/hub/shmhub.3 lib/hub/shmhub.7; do
	complaints=$(groff -mdoc -Tutf8 -ww -z "$page" 2>&1)
	[ -z "$complaints" ] || { echo "$complaints"; bad=1; }
	rendered=$(groff -mdoc -Tascii -P-cbou "$page" 2>/dev/null)
	long=$(awk 'length > 80' <<<"$rendered")
	[ -z "$long" ] || { echo "$page: wider than 80 columns: $long"; bad=1; }
done
page=lib/hub/shmhub.3
inline=$(sed -n 's/^static inline \(.*)\)$/\1;/p' lib/hub/shmhub.h)
listed=$({
	sed -n '/global:/,/local:/s/^\t\(.*\);$/\1/p' lib/hub/shmhub.map
	sed 's/(.*//; s/.* \**//' <<<"$inline"
} | sort)
named=$(awk '/^\.Sh NAME/ { on = 1 } /^\.Nd/ { on = 0 } on && $1 == ".Nm" { print $2 }' "$page" | sort)
told=$(awk '$1 == ".Fo" { print $2 }' "$page" | sort)
diff <(echo "$listed") <(echo "$named") || { echo "$page: NAME and shmhub.map (<) differ"; bad=1; }
diff <(echo "$listed") <(echo "$told") || { echo "$page: SYNOPSIS and shmhub.map (<) differ"; bad=1; }
described=$(awk '/^\.Sh DESCRIPTION/ { on = 1 } /^\.Sh ENV/ { on = 0 }
	on && /^\.It Fn / { for (i = 3; i <= NF; i++) if ($i != "," && $i != "Fn") print $i }' "$page" | sort)
diff <(echo "$listed") <(echo "$described") || { echo "$page: DESCRIPTION and shmhub.map (<) differ"; bad=1; }

# one line per prototype, "TYPE NAME(TYPE NAME, ...)", names and blanks at stars alike
plain() { sed "s,\\\\:,,g" | tr '\n' ' ' | sed 's/;/;\n/g' | tr -s ' \t' ' ' | sed 's/^ //; s/( /(/g; s/ )/)/g; s/ ,/,/g; s/\* /*/g; s/;$//' | sort; }
header=$({
	cat lib/hub/shmhub.h lib/hub/shmhub_codec.h | sed 's,/\*.*\*/,,; /^#/d' | tr '\n' ' ' |
		grep -oE 'SHMHUB_API [a-z][^;]*;' | grep -E '\(' | sed 's/^SHMHUB_API //'
	echo "$inline"
} | plain)
synopsis=$(awk '
	/^\.Sh SYNOPSIS/ { on = 1; next } /^\.Sh/ { on = 0 }
	!on { next }
	$1 == ".Ft" { sub(/^\.Ft /, ""); gsub(/"/, ""); type = $0 }
	$1 == ".Fo" { printf "%s %s(", type, $2; sep = "" }
	$1 == ".Fa" { sub(/^\.Fa /, ""); gsub(/"/, ""); printf "%s%s", sep, $0; sep = ", " }
	$1 == ".Fc" { print ");" }' "$page" | plain)
diff <(echo "$header") <(echo "$synopsis") || { echo "$page: prototypes of the headers (<) and of SYNOPSIS (>) differ"; bad=1; }

# every error that the header lists, and every struct a caller fills in or reads
for word in $(sed -n 's/^ \*\t-\(E[A-Z]*\) .*/\1/p' lib/hub/shmhub.h); do
	grep -q "^\.It Bq Er $word\$" "$page" || { echo "$page: ERRORS has no $word"; bad=1; }
done
for type in $(grep -hoE '^struct shmhub_[a-z_]+ \{' lib/hub/shmhub.h lib/hub/shmhub_codec.h | awk '{ print $2 }'); do
	cat lib/hub/shmhub.h lib/hub/shmhub_codec.h | sed -n "/^struct $type {/,/^}/p" | sed 's,/\*.*\*/,,; s,/\*.*,,; s,^ \*.*,,' | grep -oE '[a-z_]+(\[[^]]*\])*[,;]|\(\*[a-z]+\)' |
		tr -d '[],;()*' | sed 's/[A-Z_0-9]*$//' | sort -u | while read -r field; do
		grep -qwF -- "$field" "$page" || echo "$page: no word about $type.$field"
	done
done >"$TMPDIR/fields"
if [ -s "$TMPDIR/fields" ]; then cat "$TMPDIR/fields"; bad=1; fi
rm -f "$TMPDIR/fields"
exit $bad
