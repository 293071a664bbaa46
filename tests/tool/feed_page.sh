#!/bin/bash
# feed.5 is clean mdoc, and tells of every record and field that the schema names.
set -eu
page=lib/feed/feed.5 schema=lib/feed/feed.schema.json
complaints=$(groff -mdoc -Tutf8 -ww -z "$page" 2>&1)
[ -z "$complaints" ] || { echo "$complaints"; exit 1; }

# the text of each record's section, without macros
words() { # RECORD
	awk -v want="$1" '/^\.S[sh] / { on = $2 == want; next } on' "$page" | tr -c 'A-Za-z0-9_' '\n' | sort -u
}
bad=0
for record in $(jq -r '.oneOf[]."$ref"' "$schema" | sed 's,.*/,,'); do
	told=$(words "$record")
	[ -n "$told" ] || { echo "feed.5 has no section $record"; bad=1; continue; }
	for field in $(jq -r --arg r "$record" '.definitions[$r].properties | keys[]' "$schema"); do
		# the same in all records, told once for all
		case $field in v | t | d | look | h | mono_us) continue ;; esac
		grep -qx -- "$field" <<<"$told" || { echo "feed.5: $record: no word about $field"; bad=1; }
	done
done
for field in $(jq -r '.definitions | (.message.anyOf[1], .owner) | .properties | keys[]' "$schema"); do
	cat <(words ring) <(words class) | grep -qx -- "$field" || { echo "feed.5: no word about $field"; bad=1; }
done
exit $bad
