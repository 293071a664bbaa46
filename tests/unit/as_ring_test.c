#include "lib/as/as_ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/hub/hub_check.h"
#include "tests/t.h"

/* A hub of one peer and one class, in a memfd: what stands in it is said by each test. */
enum { CELLS = 16, SLOTS = 200 };

static int fd;
static unsigned char *file;
static struct hub_header *header;

static uint64_t section(unsigned kind, uint64_t stride, uint64_t count)
{
	struct hub_section *s = &header->section[header->section_count++];

	*s = (struct hub_section){ kind, 0, header->file_bytes, stride, count };
	header->file_bytes = (header->file_bytes + stride * count + HUB_PAGE - 1) & ~(uint64_t)(HUB_PAGE - 1);
	return s->offset;
}

static uint64_t peers_at, rings_at, classes_at, slots_at, calls_at;

static void build(void)
{
	fd = memfd_create("hub", 0);
	T_EQ(ftruncate(fd, 1 << 20), 0);
	file = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	T_OK(file != MAP_FAILED);
	header = (struct hub_header *)file;
	memcpy(header->magic, HUB_MAGIC, 8);
	header->byte_order = HUB_BYTE_ORDER;
	header->version = HUB_FORMAT_VERSION;
	header->peers_max = 1;
	header->ring_cells = CELLS;
	header->classes = 1;
	header->calls_max = 16;
	header->file_bytes = HUB_PAGE;
	section(HUB_SECTION_HOST, sizeof(struct hub_host), 1);
	peers_at = section(HUB_SECTION_PEERS, sizeof(struct hub_peer), 2);
	rings_at = section(HUB_SECTION_RINGS, sizeof(struct hub_ring) + CELLS * 64, 4);
	classes_at = section(HUB_SECTION_CLASSES, sizeof(struct hub_class), 1);
	slots_at = section(HUB_SECTION_SLOTS, sizeof(struct hub_slot), SLOTS);
	calls_at = section(HUB_SECTION_CALLS, sizeof(struct hub_call), 16);
	struct hub_class *k = (struct hub_class *)(file + classes_at);
	k->bytes = 1024;
	k->slots_max = SLOTS;
	atomic_store(&k->slots, SLOTS);
	header->crc = hub_check_crc(header);
}

static struct hub_ring *ring_of(unsigned peer, unsigned dir)
{
	return (struct hub_ring *)(file + rings_at +
				   (2 * peer + dir) * (sizeof(struct hub_ring) + CELLS * 64));
}

/* One message of `cells` cells at `position`; returns the position after it. */
static uint64_t put(struct hub_ring *r, uint64_t position, unsigned cells, uint32_t call)
{
	for (unsigned i = 0; i < cells; i++) {
		struct hub_cell *c = &HUB_RING_CELLS(r)[(position + i) % CELLS];

		memset((void *)c, 0xab, sizeof(*c));
		atomic_store(&c->word, HUB_WORD(position + i, i == 0, i ? i : cells));
		if (i)
			continue;
		c->kind = HUB_KIND_CALL;
		c->call = call;
		c->len = 10;
		c->slot = HUB_NO_SLOT;
		c->time_ms = 77;
	}
	return position + cells;
}

static struct as_ring read_ring(void)
{
	struct as_hub hub;
	union as_ring_space space;
	struct as_ring ring;

	T_EQ(as_hub_open(&hub, fd), 0);
	T_EQ(as_ring_read(&hub, 1, HUB_RECV, &space, &ring), 0);
	return ring;
}

TEST(messages_that_wait_are_counted_from_their_cells)
{
	build();
	struct hub_ring *r = ring_of(1, HUB_RECV);
	uint64_t at = 30; /* wraps: 30..33 lie in cells 14, 15, 0, 1 */

	at = put(r, at, 1, 5);
	at = put(r, at, 3, 6);
	at = put(r, at, 2, 7);
	atomic_store(&r->tail, 30);
	atomic_store(&r->head, at - 2); /* the last one is published, head not yet stored */
	const struct as_ring ring = read_ring();
	T_STR(ring.damage, "");
	T_EQ(ring.waiting, 3);
	T_EQ(ring.published, at);
	T_EQ(ring.oldest.call, 5);
	T_EQ(ring.oldest.time_ms, 77);
	T_EQ(ring.newest.call, 7);
	T_EQ(ring.newest.position, at - 2);
}

TEST(cells_of_an_earlier_lap_are_no_messages)
{
	build();
	struct hub_ring *r = ring_of(1, HUB_RECV);

	for (uint64_t at = 0; at < CELLS; at++)
		put(r, at, 1, (uint32_t)at);
	atomic_store(&r->tail, CELLS);
	atomic_store(&r->head, CELLS);
	const struct as_ring ring = read_ring();
	T_STR(ring.damage, "");
	T_EQ(ring.waiting, 0);
	T_EQ(ring.oldest.is_there, 0);
}

TEST(a_tail_ahead_of_head_by_one_message_is_a_legal_moment)
{
	build();
	atomic_store(&ring_of(1, HUB_RECV)->tail, 4);
	const struct as_ring ring = read_ring();
	T_STR(ring.damage, "");
}

TEST(each_damage_is_named_with_its_numbers)
{
	build();
	struct hub_ring *r = ring_of(1, HUB_RECV);

	atomic_store(&r->tail, 9007);
	T_STR(read_ring().damage, "written 0, read 9007 (more than written)");
	atomic_store(&r->tail, 0);
	atomic_store(&r->head, 99);
	T_STR(read_ring().damage, "written 99, read 0 (further apart than the ring is long)");
	atomic_store(&r->head, 2);
	put(r, 0, 1, 1);
	T_STR(read_ring().damage, "written 2, but its cells end at 1");
	put(r, 0, 2, 1);
	atomic_store(&HUB_RING_CELLS(r)[1].word, HUB_WORD(1, 0, 3));
	T_STR(read_ring().damage, "cell 1 is no continuation of 0");
	put(r, 0, 1, 1);
	put(r, 1, 1, 2);
	HUB_RING_CELLS(r)[1].kind = 99;
	T_STR(read_ring().damage, "descriptor 1: kind 99 does not exist");
	put(r, 1, 1, 2);
	HUB_RING_CELLS(r)[1].slot = HUB_SLOT_REF(7, 3);
	T_STR(read_ring().damage, "descriptor 1: class 7 does not exist");
	put(r, 1, 1, 2);
	HUB_RING_CELLS(r)[1].len = 4000;
	T_STR(read_ring().damage, "descriptor 1: 4000 bytes of payload do not fit in the ring");
	put(r, 1, 1, 2);
	HUB_RING_CELLS(r)[1].slot = HUB_SLOT_REF(0, SLOTS);
	T_STR(read_ring().damage, "a descriptor names slot 200 of class 0, which does not exist");
	for (uint64_t at = 0; at < 6; at++)
		put(r, at, 1, 1);
	atomic_store(&r->head, 2);
	T_STR(read_ring().damage, "");
	atomic_store(&r->head, 1);
	T_STR(read_ring().damage, "written 1, but its cells go on to 6");
}

TEST(a_full_ring_is_read_to_its_end_and_no_further)
{
	build();
	struct hub_ring *r = ring_of(1, HUB_RECV);

	for (uint64_t at = 100; at < 100 + CELLS;)
		at = put(r, at, 4, (uint32_t)at);
	atomic_store(&r->tail, 100);
	atomic_store(&r->head, 100 + CELLS);
	const struct as_ring ring = read_ring();
	T_STR(ring.damage, "");
	T_EQ(ring.waiting, CELLS / 4);
	T_EQ(ring.published, 100 + CELLS);
}

TEST(the_descriptor_of_a_call_or_slot_is_found_where_it_waits)
{
	build();
	struct hub_ring *r = ring_of(1, HUB_RECV);
	struct as_hub hub;
	union as_ring_space space;
	struct as_message m;

	put(r, put(r, 0, 2, 41), 1, 42);
	HUB_RING_CELLS(r)[2].slot = HUB_SLOT_REF(0, 9);
	T_EQ(as_hub_open(&hub, fd), 0);
	T_EQ(as_ring_find(&hub, 1, HUB_RECV, &space, HUB_NO_SLOT, 42, &m), 1);
	T_EQ(m.position, 2);
	T_EQ(as_ring_find(&hub, 1, HUB_RECV, &space, HUB_SLOT_REF(0, 9), 0, &m), 1);
	T_EQ(m.call, 42);
	T_EQ(as_ring_find(&hub, 1, HUB_RECV, &space, HUB_NO_SLOT, 43, &m), 0);
	T_EQ(as_ring_find(&hub, 1, HUB_SEND, &space, HUB_NO_SLOT, 42, &m), 0);
	T_EQ(as_ring_find(&hub, 2, HUB_SEND, &space, HUB_NO_SLOT, 42, &m), -ENOENT);
}

TEST(slots_are_summed_by_state_and_owner)
{
	build();
	struct hub_slot *s = (struct hub_slot *)(file + slots_at);
	struct as_hub hub;
	union as_ring_space space;
	struct as_class k;

	for (unsigned i = 0; i < 5; i++) {
		atomic_store(&s[i].word, HUB_SLOT_WORD(HUB_SLOT_HELD, HUB_TO_PEER, 1, 3, 9));
		atomic_store(&s[i].time_ms, 500 - i);
	}
	atomic_store(&s[190].word, HUB_SLOT_WORD(HUB_SLOT_IN_FLIGHT, HUB_TO_HOST, 1, 3, 9));
	atomic_store(&s[199].word, 7);                                          /* no such state */
	atomic_store(&s[198].word, HUB_SLOT_WORD(HUB_SLOT_HELD, 0, 900, 0, 1)); /* no such peer */
	T_EQ(as_hub_open(&hub, fd), 0);
	T_EQ(as_class_read(&hub, 0, &space, &k), 0);
	T_EQ(k.slots, SLOTS);
	T_EQ(k.count[HUB_SLOT_HELD], 5);
	T_EQ(k.count[HUB_SLOT_IN_FLIGHT], 1);
	T_EQ(k.count[HUB_SLOT_FREE], SLOTS - 8);
	T_EQ(k.bad, 2);
	T_EQ(k.first_bad, 198);
	T_EQ(k.first_bad_word, HUB_SLOT_WORD(HUB_SLOT_HELD, 0, 900, 0, 1));
	T_EQ(k.first_bad_at, slots_at + 198 * sizeof(struct hub_slot));
	T_STR(k.damage, "");
	T_EQ(k.owners, 2);
	T_EQ(k.owner[0].n, 5);
	T_EQ(k.owner[0].incarnation, 3);
	T_EQ(k.owner[0].oldest_ms, 496);
	T_EQ(as_class_read(&hub, 1, &space, &k), -ENOENT);
}

TEST(only_calls_in_use_are_walked)
{
	build();
	struct hub_call *c = (struct hub_call *)(file + calls_at);
	struct as_hub hub;
	union as_ring_space space;
	struct as_ring_walk walk;
	const struct hub_call *got;

	atomic_store(&c[3].word, HUB_CALL_WORD(HUB_CALL_PENDING, 1, 5));
	c[3].id = 4;
	atomic_store(&c[15].word, HUB_CALL_WORD(HUB_CALL_ANSWERED, 1, 6));
	c[15].id = 16;
	T_EQ(as_hub_open(&hub, fd), 0);
	T_EQ(as_calls_begin(&walk, &hub, 0, &space), 0);
	T_EQ(as_calls_next(&walk, &got), 1);
	T_EQ(got->id, 4);
	T_EQ(as_calls_next(&walk, &got), 1);
	T_EQ(got->id, 16);
	T_EQ(as_calls_next(&walk, &got), 0);
	T_EQ(as_calls_begin(&walk, &hub, 1, &space), -ENOENT);
}

TEST(a_section_outside_the_file_is_named_and_left_out)
{
	build();
	struct as_hub hub;
	struct hub_peer peer;

	T_EQ(ftruncate(fd, (off_t)rings_at + 10), 0);
	T_EQ(as_hub_open(&hub, fd), 0);
	T_HAS(hub.damage, "section table: RINGS 0 lies outside the file (offset ");
	T_EQ(as_hub_peer(&hub, 1, &peer), 0);
	T_EQ(as_hub_peer(&hub, 2, &peer), -ENOENT);
	union as_ring_space space;
	struct as_ring ring;
	T_EQ(as_ring_read(&hub, 1, HUB_RECV, &space, &ring), -ENOENT);
}

static void expect_damage(const char *words)
{
	struct as_hub hub;
	struct hub_peer peer;

	T_EQ(as_hub_open(&hub, fd), 0);
	T_STR(hub.damage, words);
	T_EQ(as_hub_peer(&hub, 1, &peer), 0);
}

TEST(a_header_that_was_scribbled_over_is_named_and_the_rest_is_read)
{
	build();
	expect_damage("");
	header->section_count = 9999;
	expect_damage("header: 9999 sections (64 at most)");
	build();
	header->calls_max++;
	expect_damage("header: its checksum does not match: some of its fields were overwritten");
	build();
	header->magic[0] = 'x';
	expect_damage("header: the magic is overwritten");
}

static const char *class_damage(void)
{
	struct as_hub hub;
	union as_ring_space space;
	static struct as_class k;

	T_EQ(as_hub_open(&hub, fd), 0);
	T_EQ(as_class_read(&hub, 0, &space, &k), 0);
	return k.damage;
}

TEST(a_class_that_contradicts_itself_is_named)
{
	build();
	struct hub_class *k = (struct hub_class *)(file + classes_at);

	k->bytes = 1000;
	T_STR(class_damage(), "slots of 1000 bytes (a power of two is legal)");
	k->bytes = 1024;
	k->slots_max = 10;
	T_STR(class_damage(), "200 slots published, 10 at most");
	atomic_store(&k->slots, 999);
	T_STR(class_damage(), "999 slots published, room for 200");
}

TEST(what_is_no_hub_is_refused)
{
	struct as_hub hub;

	build();
	header->ring_cells = 17;
	T_EQ(as_hub_open(&hub, fd), -ERANGE);
	header->ring_cells = CELLS;
	header->version = 9;
	T_EQ(as_hub_open(&hub, fd), -EPROTO);
	header->version = HUB_FORMAT_VERSION;
	header->magic[0] = 'x';
	header->uid++; /* else the checksum says that it was one */
	T_EQ(as_hub_open(&hub, fd), -EBADMSG);
	T_EQ(ftruncate(fd, 100), 0);
	T_EQ(as_hub_open(&hub, fd), -EBADMSG);
}

TEST(random_bytes_never_lead_outside_or_round_in_circles)
{
	const uint64_t seed = t_seed();
	struct as_hub hub;
	union as_ring_space space;
	static struct as_class k;
	struct as_ring ring;

	build();
	srand48((long)seed);
	for (unsigned turn = 0; turn < 300 * t_length(); turn++) {
		for (uint64_t i = HUB_PAGE; i < header->file_bytes; i += 8)
			*(uint64_t *)(file + i) = (uint64_t)mrand48() << (turn % 32) ^ (uint64_t)mrand48();
		T_EQ(as_hub_open(&hub, fd), 0);
		for (unsigned peer = 0; peer < 3; peer++)
			for (unsigned dir = 0; dir < 3; dir++)
				as_ring_read(&hub, peer, dir, &space, &ring);
		as_class_read(&hub, 0, &space, &k);
	}
}

TEST(stamps_wrap_and_come_back_as_times)
{
	struct as_hub hub = { .header.created_ns = 5000000000 };

	T_EQ(as_hub_ms_us(&hub, 1000, 7000000), 6000000);
	/* 2^32 ms and 10 ms later, a stamp of 20 ms before */
	const uint64_t now_us = 5000000 + ((UINT64_C(1) << 32) + 10) * 1000;
	T_EQ(as_hub_ms_us(&hub, UINT32_MAX - 9, now_us), now_us - 20000);
}

TEST(the_last_messages_of_a_ring_are_read_after_they_were_taken)
{
	static struct as_message last[CELLS];
	static union as_ring_space space;
	struct as_hub hub;
	struct as_ring ring;
	uint64_t position = 0;

	build();
	struct hub_ring *r = ring_of(1, HUB_SEND);

	/* 40 messages of 1, 2, 3, 4, 1, ... cells: some six laps */
	for (uint32_t i = 0; i < 40; i++)
		position = put(r, position, i % 4 + 1, i);
	atomic_store(&r->head, position);
	atomic_store(&r->tail, position);
	T_EQ(as_hub_open(&hub, fd), 0);
	T_EQ(as_ring_read(&hub, 1, HUB_SEND, &space, &ring), 0);
	T_EQ(ring.published, position);

	/* 16 cells back: 4 + 3 + 2 + 1 + 4 fit, of the 3 before them only two cells are left */
	T_EQ(as_ring_history(&hub, 1, HUB_SEND, &space, &ring, last, CELLS), 5);
	for (uint32_t i = 0; i < 5; i++)
		T_EQ(last[i].call, 35 + i);
	T_EQ(last[4].position, position - 4);

	/* the newest two, in order */
	T_EQ(as_ring_history(&hub, 1, HUB_SEND, &space, &ring, last, 2), 2);
	T_EQ(last[0].call, 38);
	T_EQ(last[1].call, 39);
	T_EQ(as_ring_history(&hub, 1, HUB_SEND, &space, &ring, last, 3), 3);
	T_EQ(last[0].call, 37);
	T_EQ(last[2].call, 39);

	/* one that was scribbled over, and the lap that has gone on meanwhile, are passed over */
	atomic_store(&HUB_RING_CELLS(r)[last[1].position % CELLS].word, 0);
	T_EQ(as_ring_history(&hub, 1, HUB_SEND, &space, &ring, last, CELLS), 4);
	put(r, position, 4, 40);
	T_EQ(as_ring_history(&hub, 1, HUB_SEND, &space, &ring, last, CELLS), 3);
	T_EQ(last[2].call, 39);
	T_EQ(as_ring_history(&hub, 7, HUB_SEND, &space, &ring, last, CELLS), -ENOENT);

	/* a ring that nobody has used */
	T_EQ(as_ring_read(&hub, 1, HUB_RECV, &space, &ring), 0);
	T_EQ(as_ring_history(&hub, 1, HUB_RECV, &space, &ring, last, CELLS), 0);
}
