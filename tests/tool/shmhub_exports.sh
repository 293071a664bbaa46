#!/bin/bash
# libshmhub.so exports what the public headers declare and shmhub.map lists, each symbol with its
# version, and nothing else; it needs only the C library.
set -u
lib=$B/lib/libshmhub.so.0
bad=0
same() { # WHAT OF-THE-LIBRARY EXPECTED
	[ "$2" = "$3" ] && return
	echo "$1:"
	diff <(echo "$2") <(echo "$3") | sed 's/^</  in the library only: /; s/^>/  missing in the library: /; /^[0-9]/d'
	bad=1
}
declared=$(cat lib/hub/shmhub.h lib/hub/shmhub_codec.h | tr '\n' ' ' | grep -oE 'SHMHUB_API [a-z][^(]*\(' |
	grep -oE 'shmhub_[a-z0-9_]+\($' | tr -d '(' | sort)
listed=$(sed -n '/global:/,/local:/s/^\t\(.*\);$/\1/p' lib/hub/shmhub.map | sort)
# (a sanitizer's own symbols are not ours)
exported=$(nm -D --defined-only --with-symbol-versions "$lib" | awk '$2 != "A" && $3 !~ /asan|ubsan|tsan/ { print $3 }' | sort)
same "libshmhub.so and the headers" "$(sed 's/@.*//' <<<"$exported")" "$declared"
same "libshmhub.so and shmhub.map" "$(sed 's/@.*//' <<<"$exported")" "$listed"
wrong=$(grep -v '@@SHMHUB_0\.1$' <<<"$exported")
[ -z "$wrong" ] || { echo "without the version SHMHUB_0.1: $wrong"; bad=1; }

dynamic=$(readelf -dW "$lib")
grep -q 'SONAME.*\[libshmhub\.so\.0\]' <<<"$dynamic" || { echo "its soname is not libshmhub.so.0"; bad=1; }
[ "$(readlink "$B/lib/libshmhub.so")" = libshmhub.so.0 ] || { echo "libshmhub.so is no link to it"; bad=1; }
grep -q TEXTREL <<<"$dynamic" && { echo "it has text relocations"; bad=1; }
needed=$(sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' <<<"$dynamic" | grep -vE '^(libc\.so\.6|ld-linux-x86-64\.so\.2)$')
[ -n "$SAN" ] || [ -z "$needed" ] || { echo "it needs $needed"; bad=1; }

# who links the static library finds no name there but these: one may have an err_set() of one's own
public=$(nm --defined-only -g "$B/lib/libshmhub.a" 2>/dev/null | awk 'NF == 3 && $3 !~ /asan|ubsan|tsan|odr/ { print $3 }' | sort)
same "libshmhub.a and the headers" "$public" "$declared"
exit $bad
