#include "lib/as/as_scan.h"

#include <string.h>

bool as_scan_char(struct as_scan *s, char c)
{
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

void as_scan_blanks(struct as_scan *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\t'))
		s->at++;
}

bool as_scan_word(struct as_scan *s, const char *word)
{
	const size_t n = strlen(word);

	if ((size_t)(s->end - s->at) < n || memcmp(s->at, word, n) != 0)
		return false;
	s->at += n;
	return true;
}

bool as_scan_line(struct as_scan *s)
{
	while (s->at < s->end)
		if (*s->at++ == '\n')
			return true;
	return false;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

static bool scan_number(struct as_scan *s, unsigned base, uint64_t *v)
{
	const char *at = s->at;
	uint64_t sum = 0;

	for (; at < s->end; at++) {
		const unsigned digit = (unsigned)digit_of(*at);

		if (digit >= base)
			break;
		if (__builtin_mul_overflow(sum, base, &sum) ||
		    __builtin_add_overflow(sum, digit, &sum))
			return false;
	}
	if (at == s->at)
		return false;
	s->at = at;
	*v = sum;
	return true;
}

bool as_scan_u64(struct as_scan *s, uint64_t *v)
{
	return scan_number(s, 10, v);
}

bool as_scan_i64(struct as_scan *s, int64_t *v)
{
	struct as_scan t = *s;
	const bool negative = as_scan_char(&t, '-');
	uint64_t size;

	if (!as_scan_u64(&t, &size) || size > (uint64_t)INT64_MAX + negative)
		return false;
	*v = (int64_t)(negative ? -size : size);
	*s = t;
	return true;
}

bool as_scan_hex(struct as_scan *s, uint64_t *v)
{
	return scan_number(s, 16, v);
}

bool as_scan_0x(struct as_scan *s, uint64_t *v)
{
	struct as_scan t = *s;

	if (!as_scan_word(&t, "0x") || !as_scan_hex(&t, v))
		return false;
	*s = t;
	return true;
}
