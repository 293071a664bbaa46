#!/bin/bash
# time limit: 120
# d asks; only y dumps, by sigdump, into a file that is named; nobody is disturbed by a no.
. tests/tool/hubdemo.inc
. tests/screen/screen.inc
demo_start --load idle --peers 2 --preload --feed "$feeds"

screen_start 80 24 "$hub"
screen_has 15 'shmtop  LIVE '
screen_keys d
screen_has 5 '?   y/N'
screen_keys n
screen_has 5 'shmtop  LIVE '
[ -z "$(ls "$TMPDIR" | grep '^sigdump-')" ] || failed "dumped after a no"
[ -z "$(ls "$feeds" 2>/dev/null)" ] || failed "a feed was written after a no"
screen_keys d
screen_has 5 '?   y/N'
screen_keys y
screen_has 20 'written: '
file=$(ls "$TMPDIR"/sigdump-*.txt) || failed "no file"
grep -q '^sigdump .* pid ' "$file" || failed "no dump: $(cat "$file")"
grep -q '^STACKS ' "$file" || failed "no stacks: $(cat "$file")"
screen_close
demo_end 0
[ "$(grep -c '^peer=[0-9]* eintr=0$' "$TMPDIR/said")" = 3 ] || failed "a wait was interrupted"
