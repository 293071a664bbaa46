/*
 * as_fmt - numbers and strings into a bounded buffer, where printf may not run.
 *
 *	char path[64];
 *	struct as_fmt f;
 *
 *	as_fmt_init(&f, path, sizeof(path));
 *	as_fmt_str(&f, "task/");
 *	as_fmt_u64(&f, tid);
 *	if (!f.cut) open(path)
 *
 * The text is always terminated by a NUL byte. What does not fit is left out from there on,
 * and `cut` says so: a half number is never followed by more text.
 */
#ifndef SHMSCOPE_AS_FMT_H
#define SHMSCOPE_AS_FMT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct as_fmt {
	char *buf;
	size_t room; /* bytes of buf, the NUL included */
	size_t len;  /* bytes of text so far, without the NUL */
	bool cut;    /* something did not fit */
};

enum { AS_FMT_U64 = 21, AS_FMT_HEX = 19 }; /* room for any number, NUL included */

/*
 * as_fmt_init - start an empty text.
 * buf  borrowed until the text is no longer needed.  room  its bytes, at least 1.
 * Safety: AS-safe, one-owner, wait-free.
 */
void as_fmt_init(struct as_fmt *f, char *buf, size_t room);

/*
 * as_fmt_str, _mem, _char - append text. A number or string that does not fit whole: strings
 * keep the part that fits, then `cut` is set and everything later is dropped.
 * Safety: AS-safe, one-owner, wait-free.
 */
void as_fmt_str(struct as_fmt *f, const char *text);
void as_fmt_mem(struct as_fmt *f, const char *text, size_t len);
void as_fmt_char(struct as_fmt *f, char c);

/*
 * as_fmt_u64, _i64 - append a decimal number; as_fmt_hex - append "0x" and hex digits.
 * A number that does not fit is left out whole.
 * Safety: AS-safe, one-owner, wait-free.
 */
void as_fmt_u64(struct as_fmt *f, uint64_t v);
void as_fmt_i64(struct as_fmt *f, int64_t v);
void as_fmt_hex(struct as_fmt *f, uint64_t v);

/*
 * as_fmt_digits, as_fmt_digits_hex - one number into an array that holds any.
 * Returns the number of characters; out is NUL terminated.
 * Safety: AS-safe, MT-safe, wait-free.
 */
size_t as_fmt_digits(char out[AS_FMT_U64], uint64_t v);
size_t as_fmt_digits_hex(char out[AS_FMT_HEX], uint64_t v);

#endif
