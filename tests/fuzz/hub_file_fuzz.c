/*
 * hub_file - shminspect on a hub file in which words were changed, or of which the end is missing.
 *
 * An input is a list of changes to a sound file: place and value. With a first byte of 240 and
 * more the file ends after so many pages. (A file that is no hub at all is refused by its
 * first bytes: raw ones would teach nothing.)
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/fuzz/inspect.h"
#include "tests/hub_build.h"

enum { CHANGES = 64, CUT = 240 };

static struct hub_build b;
static struct hub_header sound; /* as it was made */
static char path[64];

struct change {
	uint16_t section, place;
	uint8_t how; /* what is done with the value */
	uint64_t value;
};

static struct undo {
	uint64_t *at, was;
} undo[CHANGES];

static void fill(void)
{
	for (unsigned i = 0; i < 8; i++) {
		hub_build_put(&b, 1 + i % 3, i % 2, 1 + i % 4);
		if (i % 3 == 0)
			hub_build_take(&b, 1 + i % 3, i % 2);
	}
	for (unsigned i = 0; i < 6; i++)
		atomic_store(&hub_build_slot(&b, i % 2, i)->word,
			     HUB_SLOT_WORD(1 + i % 4, i % 2, 1 + i % 3, 1, i));
	for (unsigned i = 0; i < HUB_BUILD_CALLS; i++) {
		struct hub_call *call = hub_build_call(&b, 0, i);

		call->id = (i + 1) | 1u << 16;
		call->enqueued_peer = (uint16_t)(1 + i % 3);
		call->started_ns = b.header->created_ns + 90000 * UINT64_C(1000000);
		atomic_store(&call->word, HUB_CALL_WORD(HUB_CALL_PENDING, 1 + i % 3, 1));
	}
}

void fuzz_start(void)
{
	char dir[] = "/tmp/fuzz.XXXXXX";

	setenv("TMPDIR", mkdtemp(dir), 1);
	hub_build_open(&b, 3);
	fill();
	sound = *b.header;
	/* nothing is left when this process is killed */
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), open(b.path, O_RDWR | O_CLOEXEC));
	unlink(b.path);
	rmdir(dir);
}

/* A word of a table; every fourth time one of the header, section table included. */
static uint64_t *word_at(const struct change *c)
{
	const struct hub_section *s = &sound.section[c->section / 4 % sound.section_count];
	const uint64_t place = c->place * UINT64_C(8);
	const uint64_t offset =
		c->section % 4 ? s->offset + place % (s->stride * s->count) : place % HUB_PAGE;

	return (uint64_t *)(b.at + (offset & ~UINT64_C(7)));
}

static void apply(const struct change *c, struct undo *u)
{
	uint64_t *word = word_at(c);

	*u = (struct undo){ word, *word };
	switch (c->how % 4) {
	case 0:
		*word = c->value;
		break;
	case 1:
		*word += c->value;
		break;
	case 2:
		*word ^= UINT64_C(1) << c->value % 64;
		break;
	default:
		memcpy((char *)word + c->how % 8, &c->value, 8 - c->how % 8);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_bytes in = { data, size };
	const uint8_t first = (uint8_t)fuzz_take(&in, 1);
	int n = 0;

	for (; in.left && n < CHANGES; n++) {
		struct change c;

		c.section = (uint16_t)fuzz_take(&in, 2);
		c.place = (uint16_t)fuzz_take(&in, 2);
		c.how = (uint8_t)fuzz_take(&in, 1);
		c.value = fuzz_take(&in, 8);
		apply(&c, &undo[n]);
	}
	if (first % 2) /* a checksum that is right: what it covers is believed */
		hub_build_seal(&b);
	inspect(first < CUT ? path : fuzz_file(b.at, (size_t)(first - CUT) << 12));
	while (n-- > 0)
		*undo[n].at = undo[n].was;
	*b.header = sound;
	return 0;
}

void fuzz_seeds(void)
{
	char name[32];
	uint8_t bytes[1 + 4 * 13];

	for (unsigned i = 0; i < 48; i++) {
		bytes[0] = (uint8_t)(i < 40 ? i : CUT + i % 16);
		for (unsigned k = 0; k < 4; k++) {
			const struct change c = { (uint16_t)(i + k), (uint16_t)(i * 5 + k * 3), (uint8_t)(i / 12),
						  k == 0 ? ~UINT64_C(0) : k == 1 ? 0 : i * 0x10001 };

			memcpy(bytes + 1 + 13 * k, &c.section, 2);
			memcpy(bytes + 3 + 13 * k, &c.place, 2);
			bytes[5 + 13 * k] = c.how;
			memcpy(bytes + 6 + 13 * k, &c.value, 8);
		}
		snprintf(name, sizeof(name), "change-%u", i);
		fuzz_seed(name, bytes, sizeof(bytes));
	}
}
