/*
 * as_scan - reads numbers out of text, where scanf may not run.
 *
 *	struct as_scan s = as_scan_text(text, n);
 *	if (as_scan_hex(&s, &start) && as_scan_char(&s, '-') && as_scan_hex(&s, &end)) ...
 *
 * A function that does not find what it looks for returns false and leaves the place unmoved.
 *
 * Safety, for every function here: AS-safe, one-owner, wait-free; never reads past `end`.
 */
#ifndef SHMSCOPE_AS_SCAN_H
#define SHMSCOPE_AS_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct as_scan {
	const char *at;
	const char *end;
};

static inline struct as_scan as_scan_text(const char *text, size_t n)
{
	return (struct as_scan){ text, text + n };
}

/* Moves over one character that must be c. */
bool as_scan_char(struct as_scan *s, char c);
/* Moves over spaces and tabs, not over line ends. */
void as_scan_blanks(struct as_scan *s);
/* Moves over `word` if the text goes on with it. */
bool as_scan_word(struct as_scan *s, const char *word);
/* Moves behind the next '\n'; false (and to the end) when there is none. */
bool as_scan_line(struct as_scan *s);

/* Digits; false when there are none or the number does not fit 64 bits. */
bool as_scan_u64(struct as_scan *s, uint64_t *v);
bool as_scan_i64(struct as_scan *s, int64_t *v);
/* Hex digits without a "0x"; as_scan_0x() wants one in front. */
bool as_scan_hex(struct as_scan *s, uint64_t *v);
bool as_scan_0x(struct as_scan *s, uint64_t *v);

#endif
