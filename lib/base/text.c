#include "lib/base/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Length of the UTF-8 character at p; 0 when there is none: cut, overlong, surrogate, too large. */
static size_t character(const uint8_t *p, size_t n)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3
			 : p[0] < 0xf5 ? 4 : 0;

	if (len <= 1 || len > n)
		return len > n ? 0 : len;
	uint32_t code = p[0] & (0x7fu >> len);

	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	return code < least[len] || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff ? 0 : len;
}

/* C0, DEL, and C1 (U+0080 to U+009F), which some terminals obey too. */
static bool is_control(const uint8_t *p, size_t len)
{
	return len == 1 ? p[0] < 0x20 || p[0] == 0x7f : len == 2 && p[0] == 0xc2 && p[1] < 0xa0;
}

size_t text_printable(char *out, size_t room, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	const uint8_t *end = memchr(p, 0, n);
	size_t len = 0;

	n = end ? (size_t)(end - p) : n;
	while (n) {
		const size_t c = character(p, n);
		const bool plain = c && !is_control(p, c);
		const size_t take = c ? c : 1;
		const size_t want = plain ? c : 4 * take;

		if (len + want >= room)
			break;
		if (plain)
			memcpy(out + len, p, c);
		else
			for (size_t i = 0; i < take; i++)
				snprintf(out + len + 4 * i, 5, "\\x%02x", p[i]);
		len += want;
		p += take;
		n -= take;
	}
	out[len] = '\0';
	return len;
}
