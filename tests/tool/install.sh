#!/bin/bash
# What `make install` puts below DESTDIR works from there: the tools find their library beside
# themselves, the header and the libraries build README's example, man pages are in place.
# time limit: 300
set -u
fail() { echo "$*"; exit 1; }
make -s install DESTDIR="$TMPDIR/root" PREFIX=/usr B="$B" SAN="$SAN" >"$TMPDIR/log" 2>&1 || fail "make install: $(tail -n 5 "$TMPDIR/log")"
bin=$TMPDIR/root/usr/bin
lib=$(dirname "$(find "$TMPDIR/root" -name libshmhub.a)")

# the library that is loaded is the installed one, and SHMSCOPE_LIB overrides it
[ -z "$SAN" ] || export LD_PRELOAD=$(cc -print-file-name=libasan.so)
maps=$(SHMSCOPE_FEED=$TMPDIR "$bin/sigdump" run -- cat /proc/self/maps)
grep -q "$lib/libsigdump.so" <<<"$maps" || fail "sigdump run did not load $lib/libsigdump.so: $maps"
cp "$lib/libsigdump.so" "$TMPDIR/other.so"
maps=$(SHMSCOPE_LIB=$TMPDIR/other.so SHMSCOPE_FEED=$TMPDIR "$bin/sigdump" run -- cat /proc/self/maps)
grep -q "$TMPDIR/other.so" <<<"$maps" || fail "SHMSCOPE_LIB was not obeyed: $maps"
unset LD_PRELOAD

# README's example, as a user would build it, dynamically and statically
sed -n '/^```c$/,/^```$/p' README.md | sed '1d;$d' >"$TMPDIR/readme.c"
[ -s "$TMPDIR/readme.c" ] || fail "README.md has no example"
sed -i "s,config.name = \"readme\".*,config.path = \"$TMPDIR/readme.hub\";," "$TMPDIR/readme.c"
san=${SAN:+-fsanitize=$SAN}
cc $san -Wall -I"$TMPDIR/root/usr/include" -o "$TMPDIR/dynamic" "$TMPDIR/readme.c" -L"$lib" -lshmhub -pthread || fail "does not build"
cc $san -Wall -I"$TMPDIR/root/usr/include" -o "$TMPDIR/static" "$TMPDIR/readme.c" "$lib/libshmhub.a" -pthread || fail "does not build"
got=$(LD_LIBRARY_PATH=$lib "$TMPDIR/dynamic"; "$TMPDIR/static")
[ "$got" = $'42\n42' ] || fail "README's example printed \"$got\", wanted 42 twice"
grep -q "^Version: " "$lib/pkgconfig/shmhub.pc" || fail "shmhub.pc has no version"
if grep -q '@' "$lib/pkgconfig/shmhub.pc"; then fail "shmhub.pc has an unfilled @...@"; fi

# an example, by what the pkg-config file says
flags=$(sed "s,^prefix=.*,prefix=$TMPDIR/root/usr,; s,^libdir=.*,libdir=$lib," "$lib/pkgconfig/shmhub.pc" >"$TMPDIR/shmhub.pc"
	if command -v pkg-config >/dev/null; then PKG_CONFIG_PATH=$TMPDIR pkg-config --cflags --libs shmhub
	else echo "-I$TMPDIR/root/usr/include -L$lib -lshmhub -pthread"; fi) || fail "pkg-config does not take shmhub.pc"
cc $san -Wall -D_GNU_SOURCE -o "$TMPDIR/words" tests/example/words_run.c tests/example/words.c $flags || fail "an example does not build with $flags"

# the public headers are C++ too
if command -v c++ >/dev/null; then
	printf '#include <shmhub.h>\n#include <shmhub_codec.h>\n#include <sigdump.h>\nint main() { return sigdump_name("x") == 0; }\n' >"$TMPDIR/x.cc"
	c++ -Wall -Wextra -Werror -I"$TMPDIR/root/usr/include" -c -o "$TMPDIR/x.o" "$TMPDIR/x.cc" || fail "the headers are no C++"
fi
for file in man/man1/sigdump.1 man/man1/shmtop.1 man/man1/shminspect.1 man/man5/feed.5 \
	man/man3/shmhub.3 man/man5/hub.5 \
	man/man7/shmhub.7 man/man7/shmscope-findings.7 bash-completion/completions/sigdump zsh/site-functions/_shmtop \
	fish/vendor_completions.d/shminspect.fish; do
	[ -s "$TMPDIR/root/usr/share/$file" ] || fail "$file is not installed"
done
rm -rf "${TMPDIR:?}"/*
