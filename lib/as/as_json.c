#include "lib/as/as_json.h"

#include <string.h>

#include "lib/as/as_fmt.h"
#include "lib/as/as_io.h"

#define SAFE_INTEGER ((UINT64_C(1) << 53) - 1)

void as_json_init(struct as_json *j, char *buf, size_t room, int fd)
{
	*j = (struct as_json){ .buf = buf, .room = room, .fd = fd };
}

static uint64_t count_lines(const char *at, size_t n)
{
	uint64_t lines = 0;

	for (size_t i = 0; i < n; i++)
		lines += at[i] == '\n';
	return lines;
}

/* Writes the first n bytes of the buffer and takes them out of it, written or not. */
static int write_out(struct as_json *j, size_t n)
{
	size_t done = 0;
	int r = 0;

	if (j->torn && n) {
		r = as_io_write(j->fd, "\n", 1, &done);
		j->torn = r != 0;
		j->written += done;
		done = 0;
	}
	if (!r)
		r = as_io_write(j->fd, j->buf, n, &done);
	j->written += done;
	if (r) {
		if (!j->error)
			j->error = r;
		if (done)
			j->torn = j->buf[done - 1] != '\n';
		else if (j->begun)
			j->torn = true;
		j->lost += count_lines(j->buf + done, n - done);
	}
	memmove(j->buf, j->buf + n, j->len - n);
	j->len -= n;
	j->line = j->line > n ? j->line - n : 0;
	return r;
}

/* The buffer is full inside a record: make room without cutting a line, if that can be. */
static void make_room(struct as_json *j)
{
	if (j->fd < 0) {
		j->skip = true;
		j->len = j->line;
	} else if (j->line > 0) {
		write_out(j, j->line);
	} else if (write_out(j, j->len)) {
		j->skip = true;
	} else {
		j->begun = true;
	}
}

static void put(struct as_json *j, const char *text, size_t n)
{
	while (n && !j->skip) {
		size_t part = j->room - j->len;

		if (!part) {
			make_room(j);
			continue;
		}
		part = n < part ? n : part;
		memcpy(j->buf + j->len, text, part);
		j->len += part;
		text += part;
		n -= part;
	}
}

static void put_char(struct as_json *j, char c)
{
	put(j, &c, 1);
}

/* The comma before a value, and its key. */
static void start_value(struct as_json *j, const char *key)
{
	const uint32_t bit = UINT32_C(1) << (j->depth & (AS_JSON_DEPTH - 1));

	if (j->filled & bit)
		put_char(j, ',');
	j->filled |= bit;
	if (key) {
		put_char(j, '"');
		put(j, key, strlen(key));
		put(j, "\":", 2);
	}
}

static void open_level(struct as_json *j, bool is_array)
{
	put_char(j, is_array ? '[' : '{');
	j->depth++;
	if (j->depth >= AS_JSON_DEPTH) {
		j->skip = true;
		j->len = j->line;
		return;
	}
	const uint32_t bit = UINT32_C(1) << j->depth;

	j->filled &= ~bit;
	j->arrays = is_array ? j->arrays | bit : j->arrays & ~bit;
}

void as_json_record(struct as_json *j)
{
	j->line = j->len;
	j->skip = false;
	j->begun = false;
	j->depth = 0;
	open_level(j, false);
}

void as_json_end_record(struct as_json *j)
{
	while (j->depth)
		as_json_end(j);
	put_char(j, '\n');
	j->records++;
	if (j->skip) {
		/* what is in the file of this line ends there */
		j->torn = j->torn || j->begun;
		j->lost++;
	}
	j->begun = false;
	j->skip = false;
	j->line = j->len;
}

void as_json_obj(struct as_json *j, const char *key)
{
	start_value(j, key);
	open_level(j, false);
}

void as_json_arr(struct as_json *j, const char *key)
{
	start_value(j, key);
	open_level(j, true);
}

void as_json_end(struct as_json *j)
{
	if (!j->depth)
		return;
	if (j->depth < AS_JSON_DEPTH)
		put_char(j, j->arrays & UINT32_C(1) << j->depth ? ']' : '}');
	j->depth--;
}

void as_json_u64(struct as_json *j, const char *key, uint64_t v)
{
	char digits[AS_FMT_U64];

	if (v > SAFE_INTEGER) {
		as_json_hex(j, key, v);
		return;
	}
	start_value(j, key);
	put(j, digits, as_fmt_digits(digits, v));
}

void as_json_i64(struct as_json *j, const char *key, int64_t v)
{
	char digits[AS_FMT_U64];
	const uint64_t size = v < 0 ? -(uint64_t)v : (uint64_t)v;

	start_value(j, key);
	if (v < 0)
		put_char(j, '-');
	/* beyond 2^53 a reader may round; a sign has no hex form that anybody would expect */
	put(j, digits, as_fmt_digits(digits, size));
}

void as_json_hex(struct as_json *j, const char *key, uint64_t v)
{
	char digits[AS_FMT_HEX];
	const size_t n = as_fmt_digits_hex(digits, v);

	start_value(j, key);
	put_char(j, '"');
	put(j, digits, n);
	put_char(j, '"');
}

void as_json_bool(struct as_json *j, const char *key, bool v)
{
	start_value(j, key);
	put(j, v ? "true" : "false", v ? 4 : 5);
}

void as_json_null(struct as_json *j, const char *key)
{
	start_value(j, key);
	put(j, "null", 4);
}

/* Bytes of the valid UTF-8 sequence at s, 0 if there is none (RFC 3629, table 3-7 of Unicode:
 * no overlong forms, no surrogates, nothing beyond U+10FFFF). */
static size_t utf8_sequence(const unsigned char *s, size_t n)
{
	unsigned char lo = 0x80, hi = 0xbf;
	size_t len;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf) {
		len = 2;
	} else if (s[0] >= 0xe0 && s[0] <= 0xef) {
		len = 3;
		lo = s[0] == 0xe0 ? 0xa0 : 0x80;
		hi = s[0] == 0xed ? 0x9f : 0xbf;
	} else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
		len = 4;
		lo = s[0] == 0xf0 ? 0x90 : 0x80;
		hi = s[0] == 0xf4 ? 0x8f : 0xbf;
	} else {
		return 0;
	}
	if (len > n || s[1] < lo || s[1] > hi)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

static void put_byte_escape(struct as_json *j, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	const char escape[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

	if (c == 0)
		put(j, "\\ufffd", 6);
	else
		put(j, escape, sizeof(escape));
}

static bool goes_through(unsigned char c)
{
	return c >= 0x20 && c != 0x7f && c != '"' && c != '\\';
}

void as_json_mem(struct as_json *j, const char *key, const void *text, size_t len)
{
	const unsigned char *s = text;
	size_t i = 0, plain = 0; /* s[plain..i) waits to be put in one piece */

	start_value(j, key);
	put_char(j, '"');
	while (i < len) {
		const size_t n = utf8_sequence(s + i, len - i);

		if (n && goes_through(s[i])) {
			i += n;
			continue;
		}
		put(j, (const char *)s + plain, i - plain);
		if (s[i] == '"' || s[i] == '\\') {
			put_char(j, '\\');
			put_char(j, (char)s[i]);
		} else {
			put_byte_escape(j, s[i]);
		}
		plain = ++i;
	}
	put(j, (const char *)s + plain, len - plain);
	put_char(j, '"');
}

void as_json_str(struct as_json *j, const char *key, const char *text)
{
	if (text)
		as_json_mem(j, key, text, strlen(text));
	else
		as_json_null(j, key);
}

int as_json_flush(struct as_json *j)
{
	if (j->fd < 0 || !j->line)
		return 0;
	return write_out(j, j->line);
}
