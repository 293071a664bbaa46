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
	hub_build_crowd(&b);
	json_t *told = lines();

	T_EQ(count_slots(told, 0, AS_RECORD_SLOTS - 1), AS_RECORD_SLOTS);
	/* the oldest in flight to that peer, and from it */
	T_EQ(count_slots(told, HUB_CROWD_SENT, HUB_CROWD_SENT), 1);
	T_EQ(count_slots(told, HUB_CROWD_ANSWER, HUB_CROWD_ANSWER), 1);
	T_EQ(count_slots(told, 0, HUB_CROWD_ALL), AS_RECORD_SLOTS + 2);
	json_decref(told);
	hub_build_close(&b);
}
