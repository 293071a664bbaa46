#include "lib/as/as_record_hub.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/hub_build.h"
#include "tests/t.h"

static struct hub_build b;
static struct as_record record;
static char out[65536];

/* What a host tells of the hub. */
static json_t *lines(void)
{
	static union as_ring_space space;
	static struct as_ring ring;
	static struct as_class klass;
	static struct as_record_old old[AS_RECORD_SLOTS];
	static uint32_t oldest_to[AS_RECORD_OLDEST_TO];
	static struct as_hub hub;
	const struct as_record_bells bells = { .pidfd = -1, .diag = -1, .own_fd = -1 };
	const int fd = open(b.path, O_RDONLY | O_CLOEXEC), file = memfd_create("records", 0);
	json_t *array = json_array(), *one;

	T_OK(fd >= 0 && file >= 0);
	T_EQ(as_hub_open(&hub, fd), 0);
	as_record_init(&record, out, sizeof(out), file);
	as_record_look(&record, 1);
	as_record_hub(&record, &(struct as_record_hub_view){ .hub = &hub,
							     .look = 1,
							     .path = b.path,
							     .host = true,
							     .bells = &bells,
							     .until_ns = UINT64_MAX,
							     .space = &space,
							     .ring = &ring,
							     .klass = &klass,
							     .old = old,
							     .oldest_to = oldest_to });
	as_record_done(&record, &(struct as_record_done){ .threads = 1 });
	FILE *f = fdopen(file, "r");

	rewind(f);
	while ((one = json_loadf(f, JSON_DISABLE_EOF_CHECK, NULL)))
		json_array_append_new(array, one);
	fclose(f);
	close(fd);
	return array;
}

static size_t count_slots(json_t *array, unsigned from, unsigned to)
{
	size_t i, n = 0;
	json_t *one;

	json_array_foreach(array, i, one) {
		const json_int_t slot = json_integer_value(json_object_get(one, "slot"));

		n += strcmp(json_string_value(json_object_get(one, "t")), "slot") == 0 &&
		     slot >= from && slot <= to;
	}
	return n;
}

/* As source_hub_test has it for a look at the file. */
TEST(a_peer_that_holds_hundreds_of_slots_does_not_hide_what_another_lost)
{
	enum { MANY = 400, SENT = MANY, LATER, ANSWER, HELD, ALL };

	hub_build_open(&b, 3);
	atomic_store(&hub_build_class(&b, 0)->slots, ALL);
	for (unsigned i = 0; i < MANY; i++)
		hub_build_give(&b, i, 1, HUB_TO_PEER, i % 2 ? HUB_SLOT_HELD : HUB_SLOT_IN_FLIGHT,
			       90000 - i);
	hub_build_give(&b, SENT, 2, HUB_TO_PEER, HUB_SLOT_IN_FLIGHT, 11000);
	hub_build_give(&b, LATER, 2, HUB_TO_PEER, HUB_SLOT_IN_FLIGHT, 10999);
	hub_build_give(&b, ANSWER, 2, HUB_TO_HOST, HUB_SLOT_IN_FLIGHT, 10998);
	hub_build_give(&b, HELD, 2, HUB_TO_PEER, HUB_SLOT_HELD, 12000);
	json_t *told = lines();

	T_EQ(count_slots(told, 0, AS_RECORD_SLOTS - 1), AS_RECORD_SLOTS);
	T_EQ(count_slots(told, SENT, SENT), 1); /* the oldest in flight to that peer */
	T_EQ(count_slots(told, ANSWER, ANSWER), 1); /* and from it */
	T_EQ(count_slots(told, 0, ALL), AS_RECORD_SLOTS + 2);
	json_decref(told);
	hub_build_close(&b);
}
