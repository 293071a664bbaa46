#!/bin/bash
# The report object: every documented field is there in every report, with its type, from
# shminspect and from shmtop alike; what is not known is null; what is referred to exists.
# time limit: 120
. tests/tool/hubdemo.inc
demo_start --inject-after 0.2s --fault lost-bell --fault killed-peer:peer=6 --preload --feed "$feeds"
demo_says 'injected lost-bell' 20
demo_says 'injected killed-peer' 20
found() { # in a report, in its last sample: what is confirmed and critical
	jq -s -c '.[-1].findings[] | select(.state == "confirmed" and .severity == "critical") |
		[.name, .where.hub, .where.peer, .where.ring]' "$1" | sort
}
for _ in {1..12}; do # until both have lasted
	sleep 0.5
	"$B/bin/sigdump" dump -q -H "$hub" >/dev/null || failed "no dump"
	"$B/bin/shminspect" --json "$hub" "$feeds" >"$TMPDIR/inspect.json"
	[ $? -le 1 ] || failed "shminspect --json with findings: exit status"
	[ "$(found "$TMPDIR/inspect.json" | wc -l)" -lt 2 ] || break
done
"$B/bin/shmtop" -b -j -n 2 -i 0.5 "$hub" >"$TMPDIR/top.json"
"$B/bin/sigdump" dump -q -j -p "$host" >"$TMPDIR/dump.json" || failed "sigdump dump --json"
[ "$(wc -l <"$TMPDIR/top.json")" = 2 ] || failed "not one line per sample"

cat >"$TMPDIR/shape.jq" <<'EOF'
def is(t): (type == "null" and (t | endswith("?"))) or type == (t | rtrimstr("?"));
def has_all(path; shape): . as $o | shape | to_entries[] | .key as $k | .value as $type |
	select(($o | has($k) | not) or ($o[$k] | is($type) | not)) |
	"\(path).\($k): \($o[$k] | tojson[:60]), not \($type)";
def finding: { v: "number", kind: "string", id: "string", name: "string", severity: "string", state: "string",
	where: "object", consequence_of: "string?", since: "string?", seconds: "number?", evidence: "object",
	next: "array" };
def where: { hub: "string?", peer: "number?", pid: "number?", tid: "number?", ring: "string?", class: "number?",
	slot: "number?", site: "string?", stack: "string?", gauge: "string?", file: "string?", offset: "number?" };
def ring: { head: "number?", tail: "number?", len: "number?", capacity: "number?", waiting_flag: "number?",
	bell_pending: "number?", written: "number?", read: "number?", waiting: "number?" };
(has_all("report"; { v: "number", kind: "string", verdict: "string", inputs: "array", findings: "array",
	hubs: "array", processes: "array", stacks: "array", series: "array", sites: "array" })),
(select(.v != 1 or .kind != "report") | "v, kind: \(.v) \(.kind)"),
(.inputs[] | has_all("inputs"; { path: "string", type: "string", complete: "boolean", from: "string?", to: "string?" })),
(.findings[] | has_all("findings"; finding), (.where | has_all("where"; where)),
	(select(.v != 1 or .kind != "finding") | "a finding: \(.v) \(.kind)"),
	(select(.severity | IN("critical", "warning", "info") | not) | "severity: \(.severity)"),
	(select(.state | IN("suspected", "confirmed", "cleared") | not) | "state: \(.state)")),
(.hubs[] | has_all("hubs"; { path: "string", peers: "array", classes: "array" }),
	(.peers[] | has_all("peers"; { id: "number", name: "string?", pid: "number?", state: "string",
		calls_pending: "number?" }),
		(select(.id > 0) | (.recv, .send) | has_all("ring"; ring))),
	(.classes[] | has_all("classes"; { size: "number", total: "number", free: "number", allocated: "number",
		in_flight: "number", held: "number", dead_owner: "number" }))),
(.processes[] | has_all("processes"; { pid: "number", name: "string?", alive: "boolean?", threads: "array",
	memory: "object?" }),
	(.threads[] | has_all("threads"; { tid: "number", name: "string?", state: "string?", wait: "string?",
		stack: "string?", captured: "string?", disturbed: "boolean", own: "boolean" }),
		(select(.captured | IN("peek", "signal", "ptrace", "core", "proc", null) | not) |
			"captured: \(.captured)"))),
(.stacks[] | has_all("stacks"; { id: "string", count: "number", frames: "array" }),
	(.frames[] | has_all("frames"; { function: "string?", file: "string?", line: "number?", module: "string?",
		offset: "string?", build_id: "string?", inlined: "boolean" }))),
# what is referred to is there, and counted right
([.stacks[].id] as $ids | .processes[].threads[] | select(.stack != null and (.stack | IN($ids[]) | not)) |
	"tid \(.tid): no stack \(.stack)"),
(. as $r | .stacks[] | . as $s | ([$r.processes[].threads[] | select(.stack == $s.id)] | length) as $n |
	select($n != .count) | "stack \(.id): \($n) threads have it, count \(.count)"),
([.findings[].id] as $ids | .findings[] | select(.consequence_of != null and (.consequence_of | IN($ids[]) | not)) |
	"\(.id): consequence of \(.consequence_of)"),
([.. | strings | select(test("^20[0-9][0-9]-") and (test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+([+-][0-9]{2}:[0-9]{2}|Z)$") | not))][] |
	"a time that is not RFC 3339: \(.)")
EOF
for report in inspect top dump; do
	trouble=$(jq -r -f "$TMPDIR/shape.jq" "$TMPDIR/$report.json" 2>&1) || failed "$report: $trouble"
	[ -z "$trouble" ] || failed "$report: $(head -n 20 <<<"$trouble")"
done
# the same findings, at the same places, from both
found "$TMPDIR/inspect.json" >"$TMPDIR/inspect.found"
found "$TMPDIR/top.json" >"$TMPDIR/top.found"
diff "$TMPDIR/inspect.found" "$TMPDIR/top.found" >&2 || failed "shminspect (<) and shmtop (>) found different things"
[ "$(wc -l <"$TMPDIR/top.found")" = 2 ] || failed "found: $(cat "$TMPDIR/top.found")"
demo_end any
