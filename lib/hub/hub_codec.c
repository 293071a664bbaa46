/*
 * hub_codec - values in payloads: see shmhub_codec.h.
 *
 * The payload may lie in shared memory and change between two looks, so there is never a second
 * look: a byte goes from there into a private variable (load) or buffer (take), and all checks
 * are made on that.
 */
#include "lib/hub/shmhub_codec.h"

#include <errno.h>
#include <string.h>

/* ---- writing -------------------------------------------------------------------------------- */

void shmhub_writer_init(struct shmhub_writer *w, void *data, size_t size)
{
	*w = (struct shmhub_writer){ .data = data, .size = data ? size : 0 };
}

/* The next n bytes; NULL: no room, only counted. What comes after a gap is not written either. */
static unsigned char *room(struct shmhub_writer *w, size_t n)
{
	const size_t at = w->len;

	if (w->error == -EOVERFLOW)
		return NULL;
	if (__builtin_add_overflow(w->len, n, &w->len)) {
		w->error = -EOVERFLOW;
		return NULL;
	}
	if (!w->error && w->len > w->size)
		w->error = -ENOBUFS;
	return w->error ? NULL : w->data + at;
}

void shmhub_put_u64(struct shmhub_writer *w, uint64_t value)
{
	unsigned char text[SHMHUB_NUMBER_MAX];
	size_t n = 0;

	for (; value > 0x7f; value >>= 7)
		text[n++] = (unsigned char)(value | 0x80);
	text[n++] = (unsigned char)value;

	unsigned char *to = room(w, n);

	if (to)
		memcpy(to, text, n);
}

void shmhub_put_i64(struct shmhub_writer *w, int64_t value)
{
	shmhub_put_u64(w, (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0));
}

void shmhub_put_double(struct shmhub_writer *w, double value)
{
	unsigned char *to = room(w, sizeof(value));

	_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "lowest byte first on the wire");
	if (to)
		memcpy(to, &value, sizeof(value));
}

void *shmhub_put_room(struct shmhub_writer *w, size_t len)
{
	shmhub_put_u64(w, len);
	return room(w, len);
}

void shmhub_put_bytes(struct shmhub_writer *w, const void *data, size_t len)
{
	void *to = shmhub_put_room(w, len);

	if (to && len)
		memcpy(to, data, len);
}

void shmhub_put_str(struct shmhub_writer *w, const char *text)
{
	shmhub_put_bytes(w, text, strlen(text));
}

void shmhub_put_array(struct shmhub_writer *w, size_t count)
{
	shmhub_put_u64(w, count);
}

int shmhub_writer_end(const struct shmhub_writer *w, size_t *len)
{
	if (len)
		*len = w->error == -EOVERFLOW ? SIZE_MAX : w->len;
	return w->error;
}

/* ---- reading -------------------------------------------------------------------------------- */

void shmhub_reader_init(struct shmhub_reader *r, const void *data, size_t len)
{
	*r = (struct shmhub_reader){ .at = data, .left = data ? len : 0 };
}

void shmhub_reader_fail(struct shmhub_reader *r, int error)
{
	if (!r->error)
		r->error = error;
	r->left = 0;
}

/* The one look at the next byte: volatile, or the compiler may look again. left is not 0. */
static unsigned char load(struct shmhub_reader *r)
{
	r->left--;
	return *(const volatile unsigned char *)r->at++;
}

/* The next n bytes; NULL: there are not so many. */
static const unsigned char *take(struct shmhub_reader *r, uint64_t n)
{
	const unsigned char *from = r->at;

	if (r->error || n > r->left) {
		shmhub_reader_fail(r, -ENODATA);
		return NULL;
	}
	r->at += n;
	r->left -= n;
	return from;
}

uint64_t shmhub_get_u64(struct shmhub_reader *r)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (r->error || !r->left) {
			shmhub_reader_fail(r, -ENODATA);
			return 0;
		}
		const unsigned char byte = load(r);

		/* the tenth byte has room for one bit; a last byte of 0 said nothing */
		if ((shift == 63 && byte > 1) || (shift && !byte))
			break;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	shmhub_reader_fail(r, -EBADMSG);
	return 0;
}

int64_t shmhub_get_i64(struct shmhub_reader *r)
{
	const uint64_t value = shmhub_get_u64(r);

	return (int64_t)(value >> 1 ^ (value & 1 ? UINT64_MAX : 0));
}

uint64_t shmhub_get_max(struct shmhub_reader *r, uint64_t max)
{
	const uint64_t value = shmhub_get_u64(r);

	if (value <= max)
		return value;
	shmhub_reader_fail(r, -ERANGE);
	return 0;
}

double shmhub_get_double(struct shmhub_reader *r)
{
	const unsigned char *from = take(r, sizeof(double));
	double value = 0;

	if (from)
		memcpy(&value, from, sizeof(value));
	return value;
}

const void *shmhub_get_bytes(struct shmhub_reader *r, size_t *len)
{
	const uint64_t n = shmhub_get_u64(r);
	const unsigned char *from = take(r, n);

	*len = from ? n : 0;
	return from;
}

size_t shmhub_get_copy(struct shmhub_reader *r, void *data, size_t size)
{
	size_t n;
	const void *from = shmhub_get_bytes(r, &n);

	if (n > size) {
		shmhub_reader_fail(r, -EMSGSIZE);
		return 0;
	}
	if (from && n)
		memcpy(data, from, n);
	/* what is decided upon from here on is the copy: a compiler may think the two equal */
	__asm__ volatile("" ::: "memory");
	return n;
}

size_t shmhub_get_str(struct shmhub_reader *r, char *text, size_t size)
{
	const size_t n = shmhub_get_copy(r, text, size - 1);

	text[n] = '\0';
	/* looked for in the copy: there it cannot come and go */
	if (!memchr(text, '\0', n))
		return n;
	text[0] = '\0';
	shmhub_reader_fail(r, -EBADMSG);
	return 0;
}

size_t shmhub_get_array(struct shmhub_reader *r, size_t min_bytes)
{
	const uint64_t n = shmhub_get_u64(r);

	if (n <= r->left / (min_bytes ? min_bytes : 1))
		return n;
	shmhub_reader_fail(r, -ENODATA);
	return 0;
}

int shmhub_reader_end(const struct shmhub_reader *r)
{
	return r->error ? r->error : r->left ? -EBADMSG : 0;
}
