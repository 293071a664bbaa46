/*
 * The v0 scheme of Rust ("_RNvCs1234_7mycrate3foo" is mycrate::foo): a prefix grammar in which
 * one letter says what follows. One function for each production; what is parsed is written at
 * once, except while `quiet`. Back references may repeat text, so depth, steps and length are
 * all bounded; a name that exceeds them, or uses what is newer than this, stays as it is.
 *
 * Crate hashes and lifetimes are left out: they help no reader of a stack.
 */
#include "lib/stack/sym_priv.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH = 128, STEPS = 20000 };

struct rust {
	const char *in; /* after "_R"; back references count from here */
	size_t at;
	char *out;
	size_t len, room;
	unsigned depth, steps, quiet;
	bool is_bad;
};

static void path(struct rust *r, bool in_value);
static void type(struct rust *r);

static void put_mem(struct rust *r, const char *text, size_t n)
{
	if (r->quiet || r->is_bad)
		return;
	if (n >= r->room - r->len) {
		r->is_bad = true;
		return;
	}
	memcpy(r->out + r->len, text, n);
	r->len += n;
	r->out[r->len] = '\0';
}

static void put(struct rust *r, const char *text)
{
	put_mem(r, text, strlen(text));
}

static void put_number(struct rust *r, uint64_t number)
{
	char text[24];

	put_mem(r, text, (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)number));
}

static char next(struct rust *r)
{
	if (r->is_bad || !r->in[r->at] || ++r->steps > STEPS) {
		r->is_bad = true;
		return '\0';
	}
	return r->in[r->at++];
}

static bool take(struct rust *r, char c)
{
	if (r->is_bad || r->in[r->at] != c)
		return false;
	r->at++;
	return true;
}

/* Every production that can contain itself passes here; leave() undoes it. */
static bool enter(struct rust *r)
{
	if (++r->depth > DEPTH)
		r->is_bad = true;
	return !r->is_bad;
}

static void leave(struct rust *r)
{
	r->depth--;
}

static uint64_t decimal(struct rust *r)
{
	uint64_t value = 0;

	if (take(r, '0'))
		return 0;
	if (r->in[r->at] < '1' || r->in[r->at] > '9')
		r->is_bad = true;
	while (!r->is_bad && r->in[r->at] >= '0' && r->in[r->at] <= '9') {
		value = value * 10 + (uint64_t)(next(r) - '0');
		if (value > SYM_NAME)
			r->is_bad = true;
	}
	return value;
}

/* "_" is 0, "0_" is 1, "z_" is 36, "A_" is 37. */
static uint64_t base62(struct rust *r)
{
	uint64_t value = 0;

	if (take(r, '_'))
		return 0;
	while (!r->is_bad && !take(r, '_')) {
		const char c = next(r);
		unsigned digit;

		if (c >= '0' && c <= '9')
			digit = (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'z')
			digit = (unsigned)(c - 'a') + 10;
		else if (c >= 'A' && c <= 'Z')
			digit = (unsigned)(c - 'A') + 36;
		else
			digit = 0, r->is_bad = true;
		if (__builtin_mul_overflow(value, 62, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			r->is_bad = true;
	}
	return value + 1;
}

static uint64_t optional62(struct rust *r, char mark)
{
	return take(r, mark) ? base62(r) + 1 : 0;
}

static void plain_identifier(struct rust *r)
{
	const bool is_punycode = take(r, 'u');
	const uint64_t n = decimal(r);

	take(r, '_');
	if (r->is_bad || strnlen(r->in + r->at, n) < n) {
		r->is_bad = true;
		return;
	}
	if (is_punycode)
		put(r, "punycode{");
	put_mem(r, r->in + r->at, n);
	if (is_punycode)
		put(r, "}");
	r->at += n;
}

/* Parses what an earlier position holds, then goes on here. */
static void back_reference(struct rust *r, void (*production)(struct rust *r))
{
	const size_t here = r->at;
	const uint64_t to = base62(r);

	if (to >= here - 1) {
		r->is_bad = true;
		return;
	}
	const size_t after = r->at;
	/* nothing new is learnt from it while nothing is written */
	if (!r->quiet && enter(r)) {
		r->at = to;
		production(r);
		leave(r);
	}
	r->at = after;
}

static void path_in_value(struct rust *r)
{
	path(r, true);
}

static void path_in_type(struct rust *r)
{
	path(r, false);
}

static void lifetime(struct rust *r)
{
	base62(r);
}

static void constant(struct rust *r)
{
	char digits[17];
	size_t n = 0;

	if (take(r, 'B')) {
		back_reference(r, constant);
		return;
	}
	if (take(r, 'p')) {
		put(r, "_");
		return;
	}
	const char of = next(r);
	if (!of || !strchr("ahijlmnostxybc", of)) {
		r->is_bad = true;
		return;
	}
	const bool is_negative = take(r, 'n');
	for (char c; !r->is_bad && (c = next(r)) != '_';) {
		if (n + 1 >= sizeof(digits) || !strchr("0123456789abcdef", c))
			r->is_bad = true;
		else
			digits[n++] = c;
	}
	digits[n] = '\0';
	const uint64_t value = strtoull(digits, NULL, 16);
	if (is_negative)
		put(r, "-");
	if (of == 'b')
		put(r, value ? "true" : "false");
	else
		put_number(r, value);
}

/* Generic arguments up to "E"; lifetimes are left out. */
static void generics(struct rust *r)
{
	bool is_first = true;

	while (!r->is_bad && !take(r, 'E')) {
		if (take(r, 'L')) {
			lifetime(r);
			continue;
		}
		if (!is_first)
			put(r, ", ");
		is_first = false;
		if (take(r, 'K'))
			constant(r);
		else
			type(r);
	}
}

/* The path of an impl block says only where it stands. */
static void skip_impl(struct rust *r)
{
	r->quiet++;
	optional62(r, 's');
	path(r, false);
	r->quiet--;
}

static void special(struct rust *r, char space, uint64_t which)
{
	put(r, space == 'C' ? "{closure" : space == 'S' ? "{shim" : "{");
	if (space != 'C' && space != 'S')
		put_mem(r, &space, 1);
	if (r->in[r->at] != '0')
		put(r, ":");
	plain_identifier(r);
	put(r, "#");
	put_number(r, which);
	put(r, "}");
}

static void nested(struct rust *r, bool in_value)
{
	const char space = next(r);

	path(r, in_value);
	put(r, "::");
	const uint64_t which = optional62(r, 's');
	if (space >= 'A' && space <= 'Z')
		special(r, space, which);
	else
		plain_identifier(r);
}

static void path(struct rust *r, bool in_value)
{
	if (!enter(r))
		return;
	switch (next(r)) {
	case 'C':
		optional62(r, 's');
		plain_identifier(r);
		break;
	case 'N':
		nested(r, in_value);
		break;
	case 'M':
		skip_impl(r);
		put(r, "<");
		type(r);
		put(r, ">");
		break;
	case 'X':
		skip_impl(r);
		/* fall through */
	case 'Y':
		put(r, "<");
		type(r);
		put(r, " as ");
		path(r, false);
		put(r, ">");
		break;
	case 'I':
		path(r, in_value);
		put(r, in_value ? "::<" : "<");
		generics(r);
		put(r, ">");
		break;
	case 'B':
		back_reference(r, in_value ? path_in_value : path_in_type);
		break;
	default:
		r->is_bad = true;
	}
	leave(r);
}

static const char *basic_type(char c)
{
	static const char *const names[26] = {
		['a' - 'a'] = "i8",    ['b' - 'a'] = "bool", ['c' - 'a'] = "char",
		['d' - 'a'] = "f64",   ['e' - 'a'] = "str",  ['f' - 'a'] = "f32",
		['h' - 'a'] = "u8",    ['i' - 'a'] = "isize", ['j' - 'a'] = "usize",
		['l' - 'a'] = "i32",   ['m' - 'a'] = "u32",  ['n' - 'a'] = "i128",
		['o' - 'a'] = "u128",  ['p' - 'a'] = "_",    ['s' - 'a'] = "i16",
		['t' - 'a'] = "u16",   ['u' - 'a'] = "()",   ['v' - 'a'] = "...",
		['x' - 'a'] = "i64",   ['y' - 'a'] = "u64",  ['z' - 'a'] = "!",
	};

	return c >= 'a' && c <= 'z' ? names[c - 'a'] : NULL;
}

static void tuple(struct rust *r)
{
	unsigned n = 0;

	put(r, "(");
	while (!r->is_bad && !take(r, 'E')) {
		if (n++)
			put(r, ", ");
		type(r);
	}
	put(r, n == 1 ? ",)" : ")");
}

static void function(struct rust *r)
{
	unsigned n = 0;

	optional62(r, 'G');
	if (take(r, 'U'))
		put(r, "unsafe ");
	if (take(r, 'K')) {
		put(r, "extern \"");
		if (take(r, 'C'))
			put(r, "C");
		else
			plain_identifier(r);
		put(r, "\" ");
	}
	put(r, "fn(");
	while (!r->is_bad && !take(r, 'E')) {
		if (n++)
			put(r, ", ");
		type(r);
	}
	put(r, ")");
	if (take(r, 'u'))
		return;
	put(r, " -> ");
	type(r);
}

static void dyn(struct rust *r)
{
	unsigned n = 0;

	put(r, "dyn ");
	optional62(r, 'G');
	while (!r->is_bad && !take(r, 'E')) {
		if (n++)
			put(r, " + ");
		path(r, false);
		while (take(r, 'p')) {
			put(r, " with ");
			plain_identifier(r);
			put(r, " = ");
			type(r);
		}
	}
	if (!take(r, 'L'))
		r->is_bad = true;
	lifetime(r);
}

static void reference(struct rust *r, const char *sign)
{
	put(r, sign);
	if (take(r, 'L'))
		lifetime(r);
	type(r);
}

static void compound(struct rust *r, char letter)
{
	switch (letter) {
	case 'A':
	case 'S':
		put(r, "[");
		type(r);
		if (letter == 'A') {
			put(r, "; ");
			constant(r);
		}
		put(r, "]");
		break;
	case 'T':
		tuple(r);
		break;
	case 'R':
		reference(r, "&");
		break;
	case 'Q':
		reference(r, "&mut ");
		break;
	case 'P':
		reference(r, "*const ");
		break;
	case 'O':
		reference(r, "*mut ");
		break;
	case 'F':
		function(r);
		break;
	case 'D':
		dyn(r);
		break;
	case 'B':
		back_reference(r, type);
		break;
	default: /* a path begins here */
		r->at--;
		path(r, false);
	}
}

static void type(struct rust *r)
{
	if (!enter(r))
		return;
	const char letter = next(r);
	const char *basic = basic_type(letter);

	if (basic)
		put(r, basic);
	else if (letter)
		compound(r, letter);
	leave(r);
}

bool sym_rust(const char *raw, char *buf, size_t room)
{
	struct rust r = { .in = raw + 2, .out = buf, .room = room };

	if (raw[0] != '_' || raw[1] != 'R')
		return false;
	path(&r, true);
	/* the crate that made this copy of a generic function */
	if (!r.is_bad && r.in[r.at]) {
		r.quiet++;
		path(&r, false);
	}
	return !r.is_bad && !r.in[r.at] && r.len;
}
