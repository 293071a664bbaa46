/*
 * C++ and the older Rust names are demangled by the C++ library of the system, opened when the
 * first such name is met: programs without C++ in them need no C++ library to be explained.
 */
#include "lib/stack/sym_priv.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"

enum { RUST_HASH = 3 + 16 }; /* "::h" and 16 hex digits */

static char *(*cxa_demangle)(const char *name, char *buf, size_t *size, int *status);

/* Leaves it NULL when there is no C++ library here. */
static void find_demangler(void)
{
	void *library = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_LOCAL);

	if (library)
		*(void **)&cxa_demangle = dlsym(library, "__cxa_demangle");
}

/* What the compilers append to clones and parts of a function; the rest of the name goes too. */
static size_t length_without_suffix(const char *name, size_t n)
{
	static const char *const suffixes[] = {
		".cold", ".part.", ".constprop.", ".isra.", ".lto_priv.", ".llvm.", ".localalias",
	};

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		const char *at = memmem(name, n, suffixes[i], strlen(suffixes[i]));

		if (at && at > name)
			n = (size_t)(at - name);
	}
	return n;
}

/* Does it end in "::h" and a hash, as the older Rust names do? */
static bool has_rust_hash(const char *name, size_t n)
{
	return n > RUST_HASH && strncmp(name + n - RUST_HASH, "::h", 3) == 0 &&
	       strspn(name + n - RUST_HASH + 3, "0123456789abcdef") == 16;
}

/* "$LT$" and so on stand for characters that a linker would not take. */
static const struct {
	const char *from, *to;
} rust_signs[] = {
	{ "..", "::" },  { "$LT$", "<" }, { "$GT$", ">" }, { "$LP$", "(" }, { "$RP$", ")" },
	{ "$C$", "," },  { "$RF$", "&" }, { "$BP$", "*" }, { "$SP$", "@" },
};

/* The sign that `in` begins with, and how many characters it takes; 0: none. */
static size_t rust_sign(const char *in, char sign[3])
{
	int n = 0;
	unsigned code;

	for (size_t i = 0; i < sizeof(rust_signs) / sizeof(*rust_signs); i++) {
		if (strncmp(in, rust_signs[i].from, strlen(rust_signs[i].from)) == 0) {
			strcpy(sign, rust_signs[i].to);
			return strlen(rust_signs[i].from);
		}
	}
	if (sscanf(in, "$u%2x$%n", &code, &n) != 1 || !n || code < 0x20 || code > 0x7e)
		return 0;
	sign[0] = (char)code;
	sign[1] = '\0';
	return (size_t)n;
}

/* Rewrites the text in place, without the hash; it only gets shorter. */
static void plain_rust(char *text)
{
	char *out = text;

	text[strlen(text) - RUST_HASH] = '\0';
	for (const char *in = text; *in;) {
		char sign[3];

		/* an underscore keeps a part of a path from beginning with a sign */
		if (*in == '_' && in[1] == '$' && (in == text || in[-1] == ':'))
			in++;
		const size_t n = rust_sign(in, sign);
		if (!n)
			*out++ = *in++;
		else
			out = stpcpy(out, sign);
		in += n;
	}
	*out = '\0';
}

static bool demangle(const char *name, char *buf)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int status;

	if (name[0] == '_' && name[1] == 'R')
		return sym_rust(name, buf, SYM_NAME);
	pthread_once(&once, find_demangler);
	if (!cxa_demangle)
		return false;
	FREES char *text = cxa_demangle(name, NULL, NULL, &status);
	if (!text)
		return false;
	if (has_rust_hash(text, strlen(text)))
		plain_rust(text);
	snprintf(buf, SYM_NAME, "%s", text);
	return true;
}

const char *sym_name(const char *raw, char *buf)
{
	const size_t all = strlen(raw);
	size_t n = strcspn(raw, "@"); /* the version: "read@@GLIBC_2.2.5" */

	if (!n)
		return raw;
	n = length_without_suffix(raw, n);
	if (n >= SYM_NAME)
		return raw;
	char plain[SYM_NAME];
	memcpy(plain, raw, n);
	plain[n] = '\0';
	if (plain[0] == '_' && (plain[1] == 'Z' || plain[1] == 'R') && demangle(plain, buf))
		return buf;
	if (n == all)
		return raw;
	memcpy(buf, plain, n + 1);
	return buf;
}
