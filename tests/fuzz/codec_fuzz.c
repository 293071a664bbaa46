/*
 * codec - the bounded codec on any bytes: the first byte of each step says what the reader
 * believes comes next. What it hands out must lie inside the payload, and it never says that
 * more elements follow than there are bytes for.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/hub/shmhub_codec.h"
#include "tests/fuzz/fuzz.h"

void fuzz_start(void)
{
}

static void is_inside(const void *at, size_t n, const uint8_t *data, size_t size)
{
	const uint8_t *p = at;

	if (n && (p < data || n > size || p + n > data + size))
		fuzz_found("%zu bytes that do not lie in the payload of %zu", n, size);
}

static void take(struct shmhub_reader *r, unsigned what, const uint8_t *data, size_t size)
{
	char text[64];
	size_t n = 0;
	const void *at;

	switch (what % 8) {
	case 0:
		shmhub_get_u64(r);
		break;
	case 1:
		shmhub_get_i64(r);
		break;
	case 2:
		shmhub_get_double(r);
		break;
	case 3:
		at = shmhub_get_bytes(r, &n);
		is_inside(at, at ? n : 0, data, size);
		break;
	case 4:
		if (shmhub_get_copy(r, text, sizeof(text)) > sizeof(text))
			fuzz_found("a copy larger than its room");
		break;
	case 5:
		text[0] = 'x';
		if (shmhub_get_str(r, text, sizeof(text)) >= sizeof(text) || !memchr(text, 0, sizeof(text)))
			fuzz_found("a string without an end");
		break;
	case 6:
		n = shmhub_get_array(r, 1 + what / 8 % 16);
		if (n * (1 + what / 8 % 16) > size)
			fuzz_found("an array of %zu in a payload of %zu bytes", n, size);
		break;
	default:
		if (shmhub_get_max(r, what) > what)
			fuzz_found("more than %u", what);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t steps = size < 16 ? size : 16;
	uint8_t *copy = malloc(size - steps + 1); /* so that the sanitizer knows its end */
	struct shmhub_reader r;

	memcpy(copy, data + steps, size - steps);
	shmhub_reader_init(&r, copy, size - steps);
	for (size_t i = 0; i < steps; i++)
		take(&r, data[i], copy, size - steps);
	shmhub_reader_end(&r);
	free(copy);
	return 0;
}

void fuzz_seeds(void)
{
	uint8_t bytes[16 + 256];
	struct shmhub_writer w;
	size_t n;

	for (unsigned i = 0; i < 16; i++)
		bytes[i] = (uint8_t)(i % 7);
	shmhub_writer_init(&w, bytes + 16, 256);
	shmhub_put_u64(&w, 300);
	shmhub_put_i64(&w, -70000);
	shmhub_put_double(&w, 0.5);
	shmhub_put_bytes(&w, "bytes", 5);
	shmhub_put_bytes(&w, "copy", 4);
	shmhub_put_str(&w, "text");
	shmhub_put_array(&w, 2);
	shmhub_put_u64(&w, 1);
	shmhub_put_i64(&w, INT64_MIN);
	if (!shmhub_writer_end(&w, &n))
		fuzz_seed("all", bytes, 16 + n);
	memset(bytes + 16, 0xff, 200); /* numbers without an end, lengths beyond all */
	fuzz_seed("ends", bytes, 216);
}
