#!/bin/bash
# libsigdump.so is a guest in somebody's address space: it exports what sigdump.map names, and
# nothing else.
set -u
lib=$B/lib/libsigdump.so
named=$(sed 's,/\*.*\*/,,; /global:/,/local:/!d; s/global:\|local:.*//; s/;/\n/g' sigdump/preload/sigdump.map |
	tr -d ' \t' | sed '/^$/d' | sort)
exported=$(nm -D --defined-only "$lib" | awk '{ print $3 }' | sort)
diff <(echo "$named") <(echo "$exported") || exit 1
[ "$(wc -l <<<"$exported")" -gt 50 ] || exit 1
# first of all constructors, nothing bound late, and none of the libraries that would take over
# C++ exceptions or symbols of the program
readelf -d "$lib" | grep -q INITFIRST || { echo "not -z initfirst"; exit 1; }
readelf -d "$lib" | grep -q NOW || { echo "not -z now"; exit 1; }
[ -n "${SAN:-}" ] && exit 0
needed=$(readelf -d "$lib" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | tr '\n' ' ')
[ "$needed" = "libc.so.6 " ] || { echo "needs $needed"; exit 1; }
