/*
 * shmhub_codec - values in payloads: numbers, bytes, strings and arrays in as few bytes as they
 * need, and a reader that believes nothing it was sent.
 *
 *	struct shmhub_writer w;				struct shmhub_reader r;
 *	shmhub_writer_init(&w, room, sizeof(room));	shmhub_reader_init(&r, data, len);
 *	shmhub_put_str(&w, "search");			n = shmhub_get_str(&r, name, sizeof(name));
 *	shmhub_put_array(&w, 2);			items = shmhub_get_array(&r, 1);
 *	shmhub_put_u64(&w, 7);				for (i = 0; i < items; i++)
 *	shmhub_put_u64(&w, 300);				sum += shmhub_get_u64(&r);
 *	if (shmhub_writer_end(&w, &len)) ...		if (shmhub_reader_end(&r)) ...
 *
 * Nothing here allocates, locks or waits; both ends work on the caller's memory. So a payload
 * may be written straight into a reserved slot, and read where it lies in the hub.
 *
 * Errors stick: after the first, puts write nothing and gets give 0 or NULL, and nothing is
 * left, so that loops end. It is enough to look at the end.
 *
 * The reader is made for payloads that may change while they are read (a sender gone wild; see
 * SHMHUB_IN_PLACE): each byte is loaded once and decided upon as loaded. What is returned by
 * pointer (shmhub_get_bytes()) still lies there and is the caller's to read once.
 *
 * A length or a count that the bytes left cannot hold is refused before anybody allocates for
 * it. What was given out is therefore bounded by the payload: with a least size of `min_bytes`,
 * an array of a payload of N bytes has at most N / min_bytes elements.
 *
 * On the wire
 *	number   unsigned: 7 bits a byte, lowest first, top bit set on all but the last; at most
 *	         10 bytes, never longer than needed (so equal values are equal bytes)
 *	         signed: 0, -1, 1, -2, ... as 0, 1, 2, 3, ... and then the same
 *	double   8 bytes, IEEE 754, lowest first
 *	bytes    their number, then they
 *	string   as bytes; no zero byte in it
 *	array    the number of its elements, then these
 *
 * Safety of all: MT-safe (different objects), wait-free.
 */
#ifndef SHMHUB_CODEC_H
#define SHMHUB_CODEC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef SHMHUB_API
#define SHMHUB_API __attribute__((visibility("default")))
#endif

enum { SHMHUB_NUMBER_MAX = 10 }; /* bytes of a number at most */

/* ---- writing -------------------------------------------------------------------------- */

struct shmhub_writer {
	unsigned char *data;
	size_t size;
	size_t len; /* bytes that all puts so far need, also when there was no room for them */
	int error;
};

/*
 * shmhub_writer_init - write into `size` bytes at `data`. With NULL and 0 nothing is written and
 * shmhub_writer_end() tells how much room a second run needs: the size to reserve.
 */
SHMHUB_API void shmhub_writer_init(struct shmhub_writer *w, void *data, size_t size);

SHMHUB_API void shmhub_put_u64(struct shmhub_writer *w, uint64_t value);
SHMHUB_API void shmhub_put_i64(struct shmhub_writer *w, int64_t value);
SHMHUB_API void shmhub_put_double(struct shmhub_writer *w, double value);

/* shmhub_put_bytes - data is borrowed, and may be NULL when len is 0. */
SHMHUB_API void shmhub_put_bytes(struct shmhub_writer *w, const void *data, size_t len);
/* shmhub_put_str - up to its NUL, which is not sent. */
SHMHUB_API void shmhub_put_str(struct shmhub_writer *w, const char *text);

/*
 * shmhub_put_room - bytes that the caller fills in itself (a file read straight into a slot).
 * Returns where, valid as long as the writer's memory; NULL when there is no room (or it is
 * only measured).
 */
SHMHUB_API void *shmhub_put_room(struct shmhub_writer *w, size_t len);

/* shmhub_put_array - `count` elements follow, each by puts of its own. */
SHMHUB_API void shmhub_put_array(struct shmhub_writer *w, size_t count);

/*
 * shmhub_writer_end - how it went.
 *
 * len  set to the bytes written (on -ENOBUFS: to the bytes that are needed). May be NULL.
 *
 * Returns 0; -ENOBUFS: more than `size`; -EOVERFLOW: more than a size_t can tell.
 */
SHMHUB_API int shmhub_writer_end(const struct shmhub_writer *w, size_t *len);

/* ---- reading -------------------------------------------------------------------------- */

struct shmhub_reader {
	const unsigned char *at;
	size_t left; /* bytes not read yet; 0 after an error */
	int error;
};

/* shmhub_reader_init - read `len` bytes at `data`; borrowed. NULL is fine when len is 0. */
SHMHUB_API void shmhub_reader_init(struct shmhub_reader *r, const void *data, size_t len);

SHMHUB_API uint64_t shmhub_get_u64(struct shmhub_reader *r);
SHMHUB_API int64_t shmhub_get_i64(struct shmhub_reader *r);
/* shmhub_get_max - a number that must not be larger than `max`; else -ERANGE. */
SHMHUB_API uint64_t shmhub_get_max(struct shmhub_reader *r, uint64_t max);
SHMHUB_API double shmhub_get_double(struct shmhub_reader *r);

/*
 * shmhub_get_bytes - where bytes lie in the payload: borrowed, as long as that. Returns NULL
 * and sets *len to 0 on an error only: no bytes at all are a pointer too.
 */
SHMHUB_API const void *shmhub_get_bytes(struct shmhub_reader *r, size_t *len);

/* shmhub_get_copy - copy bytes to `data`. Returns how many; more than `size` is -EMSGSIZE. */
SHMHUB_API size_t shmhub_get_copy(struct shmhub_reader *r, void *data, size_t size);

/*
 * shmhub_get_str - copy a string to `text` and end it with a NUL, which counts in `size`.
 * Returns its length; with an error `text` is "". A zero byte in it is -EBADMSG, more than fits
 * is -EMSGSIZE. size is at least 1.
 */
SHMHUB_API size_t shmhub_get_str(struct shmhub_reader *r, char *text, size_t size);

/*
 * shmhub_get_array - how many elements follow.
 *
 * min_bytes  the least that one of them takes on the wire (0 counts as 1): a count that the
 *            bytes left cannot hold is -ENODATA, before anything is allocated for it.
 */
SHMHUB_API size_t shmhub_get_array(struct shmhub_reader *r, size_t min_bytes);

/*
 * shmhub_reader_fail - refuse what was read (a value that the caller cannot take): error is
 * what shmhub_reader_end() will say. An earlier error stays.
 */
SHMHUB_API void shmhub_reader_fail(struct shmhub_reader *r, int error);

/*
 * shmhub_reader_end - how it went.
 *
 * Returns 0 when all was read and nothing is left; -ENODATA: it ends too early, or a length
 * claims more than there is; -EBADMSG: a number that is too long or no number, a zero in a
 * string, or bytes that nobody asked for; -EMSGSIZE, -ERANGE: more than the caller has room
 * for.
 */
SHMHUB_API int shmhub_reader_end(const struct shmhub_reader *r);

#ifdef __cplusplus
}
#endif

#endif
