#include "lib/hub/shmhub_codec.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/t.h"

/* `len` bytes that end where memory ends: one byte further is a crash. */
static unsigned char *at_the_edge(const void *data, size_t len)
{
	static unsigned char *map;
	const size_t room = 1 << 20, page = (size_t)sysconf(_SC_PAGESIZE);

	if (!map) {
		map = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		T_OK(map != MAP_FAILED);
		T_EQ(mprotect(map + room, page, PROT_NONE), 0);
	}
	T_OK(len <= room);
	if (len && data)
		memcpy(map + room - len, data, len);
	return map + room - len;
}

static void reads_from(struct shmhub_reader *r, const void *data, size_t len)
{
	shmhub_reader_init(r, at_the_edge(data, len), len);
}

static const uint64_t edges[] = { 0, 1, 0x7f, 0x80, 0x3fff, 0x4000, UINT32_MAX, INT64_MAX,
				  (uint64_t)INT64_MAX + 1, UINT64_MAX - 1, UINT64_MAX };
enum { EDGES = sizeof(edges) / sizeof(edges[0]) };

TEST(numbers_come_out_as_they_went_in_and_take_no_byte_too_many)
{
	static const unsigned char bytes[EDGES] = { 1, 1, 1, 2, 2, 3, 5, 9, 10, 10, 10 };
	unsigned char room[SHMHUB_NUMBER_MAX];
	struct shmhub_writer w;
	struct shmhub_reader r;
	size_t len;

	for (size_t i = 0; i < EDGES; i++) {
		shmhub_writer_init(&w, room, sizeof(room));
		shmhub_put_u64(&w, edges[i]);
		T_EQ(shmhub_writer_end(&w, &len), 0);
		T_EQ(len, bytes[i]);
		reads_from(&r, room, len);
		T_EQ(shmhub_get_u64(&r), edges[i]);
		T_EQ(shmhub_reader_end(&r), 0);

		shmhub_writer_init(&w, room, sizeof(room));
		shmhub_put_i64(&w, (int64_t)edges[i]);
		T_EQ(shmhub_writer_end(&w, &len), 0);
		reads_from(&r, room, len);
		T_EQ(shmhub_get_i64(&r), (int64_t)edges[i]);
		T_EQ(shmhub_reader_end(&r), 0);
	}
	/* small ones of either sign are short */
	shmhub_writer_init(&w, room, sizeof(room));
	shmhub_put_i64(&w, -64);
	T_EQ(shmhub_writer_end(&w, &len), 0);
	T_EQ(len, 1);
	T_EQ(room[0], 0x7f);
}

TEST(the_bytes_on_the_wire_are_those_of_the_manual)
{
	static const unsigned char want[] = { 0xac, 0x02, 0x03, 3, 'a', 'b', 'c', 2, 1, 2,
					      0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0 };
	unsigned char room[sizeof(want)];
	struct shmhub_writer w;

	shmhub_writer_init(&w, room, sizeof(room));
	shmhub_put_u64(&w, 300);
	shmhub_put_i64(&w, -2);
	shmhub_put_str(&w, "abc");
	shmhub_put_array(&w, 2);
	shmhub_put_u64(&w, 1);
	shmhub_put_u64(&w, 2);
	shmhub_put_double(&w, 1.5);
	shmhub_put_bytes(&w, NULL, 0);
	T_EQ(shmhub_writer_end(&w, NULL), 0);
	T_EQ(memcmp(room, want, sizeof(want)), 0);
}

TEST(a_number_longer_than_needed_or_than_64_bits_is_refused)
{
	static const struct {
		unsigned char byte[12];
		size_t len;
		int error;
	} wrong[] = {
		{ { 0x80, 0x00 }, 2, -EBADMSG },                   /* 0 in two bytes */
		{ { 0xff, 0x80, 0x00 }, 3, -EBADMSG },             /* 127 in three */
		{ { 255, 255, 255, 255, 255, 255, 255, 255, 255, 2 }, 10, -EBADMSG }, /* 65 bits */
		{ { 255, 255, 255, 255, 255, 255, 255, 255, 255, 0x81, 1 }, 11, -EBADMSG },
		{ { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 }, 12, -EBADMSG },
		{ { 0x80 }, 1, -ENODATA },                         /* the rest is missing */
		{ { 255, 255, 255, 255, 255, 255, 255, 255, 255 }, 9, -ENODATA },
		{ { 0 }, 0, -ENODATA },
	};
	struct shmhub_reader r;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		reads_from(&r, wrong[i].byte, wrong[i].len);
		T_EQ(shmhub_get_u64(&r), 0);
		T_EQ(shmhub_reader_end(&r), wrong[i].error);
		T_EQ(r.left, 0);
	}
}

TEST(a_length_or_count_beyond_what_is_left_is_refused_before_it_is_used)
{
	unsigned char room[64], to[64];
	struct shmhub_writer w;
	struct shmhub_reader r;
	size_t len, n;

	for (size_t i = 0; i < EDGES + 2; i++) {
		/* three bytes follow */
		const uint64_t claimed = i < EDGES ? edges[i] : i == EDGES ? 3 : 4;

		shmhub_writer_init(&w, room, sizeof(room));
		shmhub_put_u64(&w, claimed);
		T_EQ(shmhub_writer_end(&w, &len), 0);
		memcpy(room + len, "xyz", 3);

		reads_from(&r, room, len + 3);
		const void *data = shmhub_get_bytes(&r, &n);

		T_EQ(data != NULL, claimed <= 3);
		T_EQ(n, claimed <= 3 ? claimed : 0);
		T_EQ(shmhub_reader_end(&r), claimed > 3 ? -ENODATA : claimed == 3 ? 0 : -EBADMSG);

		reads_from(&r, room, len + 3);
		T_EQ(shmhub_get_copy(&r, to, sizeof(to)), claimed <= 3 ? claimed : 0);
		T_EQ(r.error, claimed <= 3 ? 0 : -ENODATA);

		/* as a count: of elements of at least 0 (which is 1), 1, 2, many bytes */
		for (size_t min = 0; min < 3; min++) {
			const uint64_t most = 3 / (min ? min : 1);

			reads_from(&r, room, len + 3);
			T_EQ(shmhub_get_array(&r, min), claimed <= most ? claimed : 0);
			T_EQ(r.error, claimed <= most ? 0 : -ENODATA);
		}
		reads_from(&r, room, len + 3);
		T_EQ(shmhub_get_array(&r, SIZE_MAX), 0);
		T_EQ(r.error, claimed ? -ENODATA : 0);
	}
}

TEST(after_an_error_nothing_is_read_and_the_first_error_stays)
{
	static const unsigned char bytes[] = { 0x80, 0x00, 5, 1, 2, 3, 4, 5 };
	struct shmhub_reader r;
	unsigned char to[8] = "unhurt";
	char text[8] = "was here";
	size_t n = 7;

	reads_from(&r, bytes, sizeof(bytes));
	T_EQ(shmhub_get_u64(&r), 0);
	T_EQ(shmhub_get_u64(&r), 0);
	T_EQ(shmhub_get_i64(&r), 0);
	T_EQ(shmhub_get_max(&r, 3), 0);
	T_OK(shmhub_get_double(&r) == 0);
	T_OK(!shmhub_get_bytes(&r, &n));
	T_EQ(n, 0);
	T_EQ(shmhub_get_copy(&r, to, sizeof(to)), 0);
	T_STR((char *)to, "unhurt");
	T_EQ(shmhub_get_str(&r, text, sizeof(text)), 0);
	T_STR(text, "");
	T_EQ(shmhub_get_array(&r, 1), 0);
	shmhub_reader_fail(&r, -ERANGE);
	T_EQ(shmhub_reader_end(&r), -EBADMSG);
}

TEST(what_the_caller_has_no_room_for_is_refused_not_cut)
{
	static const unsigned char bytes[] = { 4, 'a', 'b', 'c', 'd', 9 };
	struct shmhub_reader r;
	char text[8];

	reads_from(&r, bytes, sizeof(bytes));
	T_EQ(shmhub_get_str(&r, text, 5), 4);
	T_STR(text, "abcd");
	T_EQ(shmhub_get_max(&r, 9), 9);
	T_EQ(shmhub_reader_end(&r), 0);

	reads_from(&r, bytes, sizeof(bytes));
	T_EQ(shmhub_get_str(&r, text, 4), 0);
	T_STR(text, "");
	T_EQ(shmhub_reader_end(&r), -EMSGSIZE);

	reads_from(&r, bytes, sizeof(bytes));
	T_EQ(shmhub_get_copy(&r, text, 3), 0);
	T_EQ(shmhub_reader_end(&r), -EMSGSIZE);

	reads_from(&r, bytes, sizeof(bytes));
	T_EQ(shmhub_get_max(&r, 3), 0);
	T_EQ(shmhub_reader_end(&r), -ERANGE);

	reads_from(&r, "\3a\0b", 4);
	T_EQ(shmhub_get_str(&r, text, sizeof(text)), 0);
	T_STR(text, "");
	T_EQ(shmhub_reader_end(&r), -EBADMSG);
}

TEST(bytes_that_nobody_asked_for_are_an_error_at_the_end)
{
	struct shmhub_reader r;

	reads_from(&r, "\1\2", 2);
	T_EQ(shmhub_get_u64(&r), 1);
	T_EQ(shmhub_reader_end(&r), -EBADMSG);
	shmhub_reader_init(&r, NULL, 0);
	T_EQ(shmhub_reader_end(&r), 0);
}

TEST(a_writer_without_room_writes_nothing_beyond_it_and_tells_what_it_needs)
{
	unsigned char room[32];
	struct shmhub_writer w;
	size_t need, len;

	shmhub_writer_init(&w, NULL, 0);
	shmhub_put_str(&w, "hello");
	shmhub_put_u64(&w, 300);
	T_OK(!shmhub_put_room(&w, 3));
	T_EQ(shmhub_writer_end(&w, &need), -ENOBUFS);
	T_EQ(need, 6 + 2 + 4);

	for (size_t size = 0; size <= need; size++) {
		memset(room, 0xee, sizeof(room));
		shmhub_writer_init(&w, room, size);
		shmhub_put_str(&w, "hello");
		shmhub_put_u64(&w, 300);
		unsigned char *const to = shmhub_put_room(&w, 3);

		T_EQ(to != NULL, size == need);
		if (to)
			memcpy(to, "abc", 3);
		/* once something was left out, what would fit again is left out too */
		shmhub_put_bytes(&w, NULL, 0);
		T_EQ(shmhub_writer_end(&w, &len), -ENOBUFS);
		T_EQ(len, need + 1);
		for (size_t i = size; i < sizeof(room); i++)
			T_EQ(room[i], 0xee);
	}
	/* exactly full is no error */
	shmhub_writer_init(&w, room, 6);
	shmhub_put_str(&w, "hello");
	T_EQ(shmhub_writer_end(&w, &len), 0);
	T_EQ(len, 6);
}

TEST(lengths_near_the_end_of_all_numbers_are_an_error_of_the_writer)
{
	struct shmhub_writer w;
	size_t len;

	shmhub_writer_init(&w, NULL, 0);
	T_OK(!shmhub_put_room(&w, SIZE_MAX - 12));
	T_EQ(shmhub_writer_end(&w, &len), -ENOBUFS);
	T_EQ(len, SIZE_MAX - 2);
	shmhub_put_u64(&w, 1);
	shmhub_put_u64(&w, 1);
	T_EQ(shmhub_writer_end(&w, &len), -ENOBUFS);
	T_EQ(len, SIZE_MAX);
	shmhub_put_u64(&w, 1);
	T_EQ(shmhub_writer_end(&w, &len), -EOVERFLOW);
	T_EQ(len, SIZE_MAX);
	/* and it stays one, although the sum has wrapped */
	shmhub_put_u64(&w, 1);
	T_EQ(shmhub_writer_end(&w, NULL), -EOVERFLOW);
}

/* ---- random values: what went in comes out, and a cut or changed payload is never followed --- */

enum kind { U64, I64, DOUBLE, BYTES, STR, ARRAY, KINDS };

struct value {
	enum kind kind;
	uint64_t number;
	size_t len;
	unsigned char data[300];
};

static uint64_t random_u64(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed * UINT64_C(2685821657736338717);
}

static struct value random_value(uint64_t *seed)
{
	struct value v = { .kind = (enum kind)(random_u64(seed) % KINDS) };

	/* all lengths of numbers are as likely */
	v.number = random_u64(seed) >> random_u64(seed) % 64;
	v.len = random_u64(seed) % (random_u64(seed) % 8 ? 12 : sizeof(v.data));
	for (size_t i = 0; i < v.len; i++)
		v.data[i] = (unsigned char)(random_u64(seed) % 255 + (v.kind == STR));
	v.data[v.len] = '\0';
	return v;
}

static void put(struct shmhub_writer *w, const struct value *v)
{
	double d;

	switch (v->kind) {
	case U64:
		shmhub_put_u64(w, v->number);
		break;
	case I64:
		shmhub_put_i64(w, (int64_t)v->number);
		break;
	case DOUBLE:
		memcpy(&d, &v->number, sizeof(d));
		shmhub_put_double(w, d);
		break;
	case BYTES:
		shmhub_put_bytes(w, v->data, v->len);
		break;
	case STR:
		shmhub_put_str(w, (const char *)v->data);
		break;
	default:
		shmhub_put_array(w, v->len);
		for (size_t i = 0; i < v->len; i++)
			shmhub_put_u64(w, v->data[i]);
	}
}

/* Reads a value of this kind; true when it is v. */
static bool get_is(struct shmhub_reader *r, const struct value *v)
{
	unsigned char to[300];
	size_t n;
	double d;

	switch (v->kind) {
	case U64:
		return shmhub_get_u64(r) == v->number;
	case I64:
		return shmhub_get_i64(r) == (int64_t)v->number;
	case DOUBLE:
		d = shmhub_get_double(r);
		return memcmp(&d, &v->number, sizeof(d)) == 0;
	case BYTES:
		n = shmhub_get_copy(r, to, sizeof(to));
		return n == v->len && memcmp(to, v->data, n) == 0;
	case STR:
		n = shmhub_get_str(r, (char *)to, sizeof(to));
		T_EQ(n, strlen((char *)to));
		return n == v->len && memcmp(to, v->data, n) == 0;
	default:
		n = shmhub_get_array(r, 1);
		T_OK(n <= r->left);
		bool same = n == v->len;

		for (size_t i = 0; i < n && !r->error; i++)
			same = shmhub_get_u64(r) == v->data[i % sizeof(v->data)] && same;
		return same && !r->error;
	}
}

TEST(random_values_come_out_as_they_went_in_and_cut_ones_are_refused)
{
	uint64_t seed = t_seed() | 1;
	static unsigned char room[8 * 1024];

	for (unsigned round = 0; round < 400 * t_length(); round++) {
		struct value v[8];
		const size_t values = random_u64(&seed) % 8 + 1;
		struct shmhub_writer w;
		struct shmhub_reader r;
		size_t len;

		shmhub_writer_init(&w, room, sizeof(room));
		for (size_t i = 0; i < values; i++) {
			v[i] = random_value(&seed);
			put(&w, &v[i]);
		}
		T_EQ(shmhub_writer_end(&w, &len), 0);
		reads_from(&r, room, len);
		for (size_t i = 0; i < values; i++)
			T_OK(get_is(&r, &v[i]));
		T_EQ(shmhub_reader_end(&r), 0);

		/* cut off at every byte: an error, and no byte beyond it is touched */
		for (size_t cut = 0; cut < len; cut++) {
			reads_from(&r, room, cut);
			for (size_t i = 0; i < values; i++)
				get_is(&r, &v[i]);
			T_EQ(shmhub_reader_end(&r), -ENODATA);
		}
		/* changed anywhere: whatever it is, it ends inside the payload */
		for (unsigned i = 0; i < 50; i++) {
			unsigned char *const p = at_the_edge(room, len);

			p[random_u64(&seed) % len] = (unsigned char)random_u64(&seed);
			shmhub_reader_init(&r, p, len);
			for (size_t k = 0; k < values; k++)
				get_is(&r, &v[k]);
			T_OK(r.left <= len && r.at >= p && r.at <= p + len);
		}
	}
}

TEST(random_bytes_are_either_refused_or_are_what_a_writer_would_have_written)
{
	uint64_t seed = t_seed() | 1;

	for (unsigned round = 0; round < 20000 * t_length(); round++) {
		unsigned char bytes[16], again[16];
		const size_t len = random_u64(&seed) % sizeof(bytes) + 1;
		struct shmhub_reader r;
		struct shmhub_writer w;
		size_t n;

		for (size_t i = 0; i < len; i++)
			bytes[i] = (unsigned char)(random_u64(&seed) | (random_u64(&seed) % 4 ? 0x80 : 0));
		reads_from(&r, bytes, len);
		const uint64_t number = shmhub_get_u64(&r);

		if (r.error)
			continue;
		shmhub_writer_init(&w, again, sizeof(again));
		shmhub_put_u64(&w, number);
		T_EQ(shmhub_writer_end(&w, &n), 0);
		T_EQ(n, len - r.left);
		T_EQ(memcmp(again, bytes, n), 0);
	}
}

/* ---- a payload that changes while it is read -------------------------------------------------- */

struct wild {
	unsigned char *payload;
	_Atomic bool stop;
};

/* Length and text flicker between sane and not: between any two looks of the reader. */
static void *scribble(void *arg)
{
	struct wild *wild = arg;
	volatile unsigned char *p = wild->payload;

	while (!wild->stop) {
		p[0] = 200;
		p[3] = 0;
		p[0] = 5;
		p[3] = 'c';
		p[0] = 0x80;
	}
	return NULL;
}

#if defined(__SANITIZE_THREAD__)
#define RACES_ON_PURPOSE 1
#else
#define RACES_ON_PURPOSE 0
#endif

TEST(a_payload_that_changes_under_the_reader_gives_a_whole_value_or_an_error)
{
	struct wild wild = { .payload = at_the_edge("\5abcde", 6) };
	unsigned good = 0, refused = 0;
	pthread_t thread;

	if (RACES_ON_PURPOSE)
		t_skip("it is a race on purpose");
	T_EQ(pthread_create(&thread, NULL, scribble, &wild), 0);
	for (unsigned i = 0; i < 200000 || (!good || !refused); i++) {
		struct shmhub_reader r;
		char text[8];

		memset(text, 'x', sizeof(text));
		shmhub_reader_init(&r, wild.payload, 6);
		const size_t n = shmhub_get_str(&r, text, sizeof(text));

		T_EQ(strlen(text), n);
		T_OK(n == 0 || n == 5);
		T_EQ(text[7], 'x');
		good += n == 5;
		refused += n == 0;
		T_OK(i < 500000000);
	}
	wild.stop = true;
	pthread_join(thread, NULL);
}
