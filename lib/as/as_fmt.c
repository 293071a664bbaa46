#include "lib/as/as_fmt.h"

#include <string.h>

void as_fmt_init(struct as_fmt *f, char *buf, size_t room)
{
	*f = (struct as_fmt){ .buf = buf, .room = room };
	buf[0] = '\0';
}

void as_fmt_mem(struct as_fmt *f, const char *text, size_t len)
{
	if (f->cut)
		return;
	const size_t fits = f->room - 1 - f->len;

	if (len > fits) {
		len = fits;
		f->cut = true;
	}
	memcpy(f->buf + f->len, text, len);
	f->len += len;
	f->buf[f->len] = '\0';
}

void as_fmt_str(struct as_fmt *f, const char *text)
{
	as_fmt_mem(f, text, strlen(text));
}

void as_fmt_char(struct as_fmt *f, char c)
{
	as_fmt_mem(f, &c, 1);
}

static void put_number(struct as_fmt *f, const char *digits, size_t len)
{
	/* half a number would be a wrong number */
	if (len > f->room - 1 - f->len)
		f->cut = true;
	as_fmt_mem(f, digits, len);
}

void as_fmt_u64(struct as_fmt *f, uint64_t v)
{
	char digits[AS_FMT_U64];

	put_number(f, digits, as_fmt_digits(digits, v));
}

void as_fmt_i64(struct as_fmt *f, int64_t v)
{
	char digits[AS_FMT_U64 + 1] = "-";

	if (v >= 0)
		as_fmt_u64(f, (uint64_t)v);
	else
		put_number(f, digits, 1 + as_fmt_digits(digits + 1, -(uint64_t)v));
}

void as_fmt_hex(struct as_fmt *f, uint64_t v)
{
	char digits[AS_FMT_HEX];

	put_number(f, digits, as_fmt_digits_hex(digits, v));
}

size_t as_fmt_digits(char out[AS_FMT_U64], uint64_t v)
{
	char reversed[AS_FMT_U64];
	size_t n = 0;

	do {
		reversed[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	for (size_t i = 0; i < n; i++)
		out[i] = reversed[n - 1 - i];
	out[n] = '\0';
	return n;
}

size_t as_fmt_digits_hex(char out[AS_FMT_HEX], uint64_t v)
{
	unsigned digits = 1;

	while (digits < 16 && v >> (4 * digits))
		digits++;
	out[0] = '0';
	out[1] = 'x';
	for (unsigned i = 0; i < digits; i++)
		out[2 + i] = "0123456789abcdef"[v >> (4 * (digits - 1 - i)) & 15];
	out[2 + digits] = '\0';
	return 2 + digits;
}
