#!/bin/bash
# The schema accepts one record of each documented type, and refuses what is not documented.
set -eu
feed=$TMPDIR/x.ndjson
trap 'rm -f "$feed" "$TMPDIR/out"' EXIT
cat >"$feed" <<'END'
{"v":1,"t":"feed","boot":"01234567-89ab-cdef-0123-456789abcdef","host":"box","pidns":4026531836,"pid":4112,"start":77,"image":"0x9f3c000000000001","comm":"search","exe":"/usr/bin/search","uid":1000,"writer":"0.1.0","segment":1,"by":"self","mono_us":1000,"real_us":1700000000000000,"caps":["peek","schedstat"]}
{"v":1,"t":"dump","d":1,"family":"0x7b","why":"signal","sender":null,"name":"search","mono_us":2000,"real_us":1700000000001000}
{"v":1,"t":"fatal","d":1,"signal":11,"code":-6,"addr":null,"tid":4112,"sender":4112}
{"v":1,"t":"look","d":1,"look":1,"mono_us":2001}
{"v":1,"t":"hub","d":1,"look":1,"h":0,"path":"/dev/shm/demo.hub","id":"0xfeed","ino":12,"role":"peer","peer":3,"host_pid":4101,"host_start":70,"created_us":500,"created_real_us":1700000000000000,"file_bytes":268435456,"version":1,"writer":"0.1.0","ring_cells":256,"calls_max":8192,"calls_pending":1,"last_alive_us":1900,"stopping":0,"no_space":0,"no_space_us":0,"calls_waited":0,"calls_refused":0,"error":null}
{"v":1,"t":"peer","d":1,"look":1,"h":0,"peer":3,"name":"search","pid":4112,"start":77,"state":"live","incarnation":1,"exit_status":-1,"started_us":600,"died_us":0,"loop_tid":4112,"beat":"asleep","beat_method":0,"beat_ms":1,"flag":1,"flag_ms":1,"host_flag":0,"host_flag_ms":0,"host_tid":0,"host_beat":null,"host_beat_method":0,"host_beat_ms":0,"calls_pending":1,"slots_held":0,"restarts":0,"alloc_failed":0,"host_alloc_failed":0,"handled":1034}
{"v":1,"t":"ring","d":1,"look":1,"h":0,"peer":3,"dir":"recv","head":1041,"tail":1034,"published":1041,"waiting":7,"capacity":256,"sending":0,"bell":0,"bell_ms":1,"messages":1041,"bytes":"0x20000000000000","taken":1034,"bells":40,"bell_head":1034,"sleeps":41,"full":0,"full_waits":0,"rescues":0,"refused":0,"take_ms":1,"damage":null,"oldest":{"pos":1034,"time_ms":1,"call":65537,"kind":"call","method":2,"len":180,"slot":null},"newest":{"pos":1040,"time_ms":1,"call":0,"kind":"notify","method":2,"len":9120,"slot":16777328}}
{"v":1,"t":"class","d":1,"look":1,"h":0,"class":0,"bytes":1024,"slots":1024,"max":4096,"free":1023,"allocated":0,"in_flight":1,"held":0,"punching":0,"bad":0,"waiters":0,"claims":9,"failed":0,"no_space":0,"owners":[{"peer":3,"incarnation":1,"dir":"to_peer","state":"in_flight","n":1,"oldest_ms":1}]}
{"v":1,"t":"slot","d":1,"look":1,"h":0,"class":0,"slot":112,"state":"in_flight","peer":3,"incarnation":1,"dir":"to_peer","generation":4,"time_ms":1,"bytes":1000,"call":0,"method":2}
{"v":1,"t":"call","d":1,"look":1,"h":0,"by":0,"id":65537,"state":"pending","peer":3,"method":2,"started_us":1500,"tid":4101,"deadline_ms":0,"enqueued_peer":3,"enqueued_at":1035,"bytes":180,"for_call":0,"for_peer":0}
{"v":1,"t":"module","m":0,"path":"/usr/lib/libc.so.6","build_id":"9f3c","bias":"0x7f0000000000","start":"0x7f0000026000","end":"0x7f000017b000","kind":"file"}
{"v":1,"t":"stack","s":0,"frames":[[0,"0x10a0c6","x"],[-1,"0x1000"],[0,"0x271ca","g"]],"end":"bottom"}
{"v":1,"t":"thread","d":1,"tid":4112,"name":"search","state":"S","own":false,"captured":"peek","disturbed":false,"moved":false,"sys":232,"args":["0x7","0x0","0x20","0xffffffffffffffff","0x0","0x0"],"sp":"0x7ffd0000","pc":"0x7f000010a0c6","stack":0,"reason":null,"blocked_ms":8400,"wchan":"ep_poll","on":"anon_inode:[eventpoll]","mono_us":2002,"mark":"0xbb52ea94ccc1bc79"}
{"v":1,"t":"word","d":1,"look":1,"of":4140,"addr":"0x55d0c0a8","value":"0x2","in":[0,"0x6aa0"],"at":"0x55d0c068","bytes":"0200000000000000a74a0000","mono_us":2002}
{"v":1,"t":"word","d":1,"look":2,"of":4140,"addr":"0x55d0c0a8","value":"0x2","still":true,"mono_us":2004,"holders":[{"tid":4143,"pid":4112,"state":"S","name":"query-1"},{"tid":9,"pid":null,"state":"X","name":""}]}
{"v":1,"t":"word","d":1,"look":2,"of":4141,"still":false,"mono_us":2004}
{"v":1,"t":"ends","d":1,"of":4112,"set":7,"n":40,"ends":[{"fd":5,"events":1,"is":"socket:[701089]","peer":701090},{"fd":6,"events":4,"is":null},{"fd":8,"events":1,"is":"/run/in","fifo":true}]}
{"v":1,"t":"ends","d":1,"of":4113,"set":7}
{"v":1,"t":"ends","d":1,"of":4114,"n":20000,"more":true,"ends":[]}
{"v":1,"t":"lock","d":1,"of":4115,"file":"/var/lib/x","ino":393,"kind":"OFDLCK","exact":true,"n":1,"holders":[{"pid":null,"state":"?","name":""}],"mono_us":2004}
{"v":1,"t":"open","d":1,"fds":[[0,"pipe:[11]","r"],[5,"socket:[701089]","rw"]],"more":false}
{"v":1,"t":"children","d":1,"of":4112,"pids":[4200,4201],"more":true}
{"v":1,"t":"other","d":1,"file":"pipe:[11]","n":1,"who":[{"pid":4200,"fd":1,"mode":"w","name":"sh"}],"all":true,"still":true,"mono_us":2005}
{"v":1,"t":"look","d":1,"look":2,"mono_us":2005}
{"v":1,"t":"child","d":1,"pid":4200,"start":99,"name":"sh","state":"T","told":false,"reason":"stopped"}
{"v":1,"t":"gauge","d":1,"name":"cache bytes","value":1000,"limit":null}
{"v":1,"t":"diag","d":1,"name":"queue","text":"3 jobs","reason":null}
{"v":1,"t":"done","d":1,"mono_us":2010,"threads":1,"captured":1,"disturbed":0,"us":10,"timeout":false}
{"v":1,"t":"incident","n":1,"state":"stalled","what":"ring","d":1,"stuck_ms":5000,"since_us":1500,"path":"/dev/shm/demo.hub","peer":3,"dir":"recv","waiting":7,"at":1034,"mono_us":2500}
{"v":1,"t":"incident","n":1,"state":"progress","what":"ring","d":1,"stuck_ms":9000,"since_us":1500,"mono_us":2900}
{"v":1,"t":"end","why":"signal","signal":15,"mono_us":3000}
END
scripts/check-feed "$feed"
types=$(jq -r .t "$feed" | sort -u)
named=$(jq -r '.oneOf[]."$ref"' lib/feed/feed.schema.json | sed 's,.*/,,' | sort)
documented=$(sed -n 's/^ \* \([a-z]\{3,\}\)  *.*/\1/p' lib/feed/feed_format.h | grep -Fx "$named" | sort)
[ "$types" = "$named" ] || { echo "no sample of:" $(comm -13 <(echo "$types") <(echo "$named")); exit 1; }
[ "$documented" = "$named" ] || { echo "not in feed_format.h:" $(comm -13 <(echo "$documented") <(echo "$named")); exit 1; }

# A cut-off last line is not an error.
printf '{"v":1,"t":"do' >>"$feed"
scripts/check-feed "$feed"

refused() { # LINE WHY
	printf '%s\n' "$1" >"$feed"
	if scripts/check-feed "$feed" 2>"$TMPDIR/out"; then
		echo "accepted: $1"
		exit 1
	fi
	grep -qF -- "$2" "$TMPDIR/out" || { echo "for $1"; echo "wanted: $2"; cat "$TMPDIR/out"; exit 1; }
}
refused '{"v":1,"t":"done","d":1,"threads":"12"}' 'done: threads:'
refused '{"v":1,"t":"done","d":1,"treads":12}' 'done: treads: not in the schema'
refused '{"v":1,"t":"done"}' "'d' is a required property"
refused '{"v":1,"t":"dune","d":1}' "t: 'dune' is no record type"
refused '{"v":1,"t":"hex"}' "t: 'hex' is no record type"
refused '{"v":2,"t":"done","d":1}' 'done: v:'
refused '{"v":1,"t":"word","d":1,"look":1,"of":1,"addr":1440530600,"value":"0x1"}' 'word: addr:'
refused '{"v":1,"t":"word","d":1,"look":2,"of":1,"still":true}' "'addr' is a required property"
refused '{"v":1,"t":"word","d":1,"look":1,"of":1,"addr":"0x1","value":"0x1","bytes":"0"}' 'word: bytes:'
refused '{"v":1,"t":"ends","d":1,"of":1,"n":1}' "'ends' is a required property"
refused '{"v":1,"t":"open","d":1,"fds":[[1,"pipe:[1]","x"]]}' 'open: fds.0.2:'
refused '{"v":1,"t":"done","d":9007199254740993}' 'done: d:'
refused '{"v":1,"t":"ring","d":1,"look":3,"h":0,"peer":1,"dir":"recv","head":1,"tail":1}' 'ring: look:'
refused '{"v":1,"t":"ring","d":1,"look":1,"h":0,"peer":1,"dir":"recv","head":1,"tail":1,"oldest":{"time_ms":1,"kind":"call","when":2}}' 'oldest.when: not in the schema'
refused '{"v":1,"t":"stack","s":1,"frames":[[0]]}' 'stack: frames.0:'
refused '{"v":1,"t":"done","d":1' 'not JSON'
refused '["v",1]' 'is no record type'
