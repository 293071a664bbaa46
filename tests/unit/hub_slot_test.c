/* Slots of a memfd hub: both ends in this process, each with a mapping of its own. */
#include "tests/t.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/hub/hub_fault.h"
#include "lib/hub/hub_file.h"
#include "lib/hub/hub_os.h"
#include "lib/hub/hub_slot.h"

static struct hub_map map, peer_map;
static struct hub_slots host, peer;
static const struct hub_slot_end to_peer = { 3, 1, HUB_TO_PEER }, to_host = { 3, 1, HUB_TO_HOST };
static char path[PATH_MAX];

static void open_hub(const struct shmhub_config *config)
{
	struct err err;

	if (hub_file_create(config, &map, path, &err) ||
	    hub_map_open(path, dup(map.fd), &map.header, &peer_map, &err))
		T_FAIL("%s", err.text);
	T_EQ(hub_slots_init(&host, &map, true), 0);
	T_EQ(hub_slots_init(&peer, &peer_map, false), 0);
}

static struct shmhub_config small_config(void)
{
	struct shmhub_config c;

	shmhub_config_init(&c);
	c.memfd = 1;
	c.class_count = 3;
	c.classes[0] = (struct shmhub_class){ 1024, 64, 256 };
	c.classes[1] = (struct shmhub_class){ 65536, 4, 8 };
	c.classes[2] = (struct shmhub_class){ 4 << 20, 2, 4 };
	return c;
}

static void open_small(void)
{
	const struct shmhub_config c = small_config();

	open_hub(&c);
}

/* Any slot will do. */
static int claim(struct hub_slots *s, unsigned klass, uint32_t bytes, struct hub_slot_end end,
		 bool is_answer, struct hub_slot_ref *slot)
{
	return hub_slot_claim(s, klass, bytes, end, is_answer, HUB_NO_SLOT, slot);
}

static uint64_t word_of(uint32_t ref)
{
	return hub_get64(&hub_map_slot(&map, HUB_SLOT_REF_CLASS(ref), HUB_SLOT_REF_INDEX(ref))->word);
}

static uint64_t blocks(void)
{
	struct stat st;

	fstat(map.fd, &st);
	return (uint64_t)st.st_blocks * 512;
}

TEST(a_likely_slot_is_taken_if_it_is_free_and_may_be_had)
{
	const uint32_t last = HUB_SLOT_REF(1, 3);
	struct hub_slot_ref s, other;

	open_small();
	T_EQ(hub_slot_claim(&host, 1, 100, to_peer, false, last, &s), 0);
	T_EQ(s.ref, last);
	T_EQ(hub_slot_claim(&host, 1, 100, to_peer, false, last, &other), 0); /* it is not free */
	T_OK(other.ref != last && HUB_SLOT_REF_CLASS(other.ref) == 1);
	hub_slot_free(&host, &other);
	hub_slot_free(&host, &s);
	T_EQ(hub_slot_claim(&host, 2, 100, to_peer, true, last, &s), 0); /* of another class */
	T_EQ(HUB_SLOT_REF_CLASS(s.ref), 2);
	hub_slot_free(&host, &s);
	/* kept for answers */
	T_OK(map.klass[1].answers > 0);
	T_EQ(hub_slot_claim(&host, 1, 100, to_peer, false, HUB_SLOT_REF(1, 0), &s), 0);
	T_OK(HUB_SLOT_REF_INDEX(s.ref) >= map.klass[1].answers);
	hub_slot_free(&host, &s);
	/* not published */
	T_EQ(hub_slot_claim(&host, 1, 100, to_peer, false, HUB_SLOT_REF(1, 7), &s), 0);
	T_OK(HUB_SLOT_REF_INDEX(s.ref) < 4);
}

TEST(a_slot_goes_from_sender_to_receiver_and_back_and_its_word_says_so)
{
	struct hub_slot_ref s, r;

	open_small();
	T_EQ(claim(&host, 0, 1000, to_peer, true, &s), 0);
	T_EQ(word_of(s.ref), HUB_SLOT_WORD(HUB_SLOT_ALLOCATED, HUB_TO_PEER, 3, 1, 1));
	T_EQ(hub_slot_send(&host, &s, 900, 77, 5, 123), 0);
	T_EQ(HUB_SLOT_STATE(word_of(s.ref)), HUB_SLOT_IN_FLIGHT);
	T_EQ(hub_slot_take(&peer, s.ref, 1, 900, to_peer, 124, &r), 0);
	T_EQ(HUB_SLOT_STATE(word_of(s.ref)), HUB_SLOT_HELD);
	T_EQ(hub_map_slot(&map, 0, 0)->bytes, 900);
	T_EQ(hub_map_slot(&map, 0, 0)->call, 77);
	T_EQ(hub_slot_free(&peer, &r), false);
	T_EQ(HUB_SLOT_STATE(word_of(s.ref)), HUB_SLOT_FREE);
	T_EQ(r.ref, HUB_NO_SLOT);
	/* the sender's old word frees nothing, and the next claim is another generation */
	T_EQ(hub_slot_free(&host, &s), false);
	T_EQ(claim(&host, 0, 1000, to_peer, true, &s), 0);
	T_EQ(HUB_SLOT_GENERATION(s.word), 2);
}

TEST(a_reference_that_makes_no_sense_is_refused)
{
	struct hub_slot_ref s, r;

	open_small();
	T_EQ(claim(&host, 1, 5000, to_peer, true, &s), 0);
	T_EQ(hub_slot_send(&host, &s, 5000, 0, 0, 0), 0);
	T_EQ(hub_slot_take(&peer, HUB_SLOT_REF(9, 0), 1, 10, to_peer, 0, &r), -EBADMSG);
	T_EQ(hub_slot_take(&peer, HUB_SLOT_REF(1, 8), 1, 10, to_peer, 0, &r), -EBADMSG);
	T_EQ(hub_slot_take(&peer, HUB_SLOT_REF(1, 5), 1, 10, to_peer, 0, &r), -EBADMSG); /* not yet */
	T_EQ(hub_slot_take(&peer, s.ref, 1, 65537, to_peer, 0, &r), -EBADMSG);
	T_EQ(hub_slot_take(&peer, s.ref, 2, 10, to_peer, 0, &r), -ESTALE); /* generation */
	T_EQ(hub_slot_take(&peer, s.ref, 1, 10, to_host, 0, &r), -ESTALE); /* direction */
	T_EQ(hub_slot_take(&peer, s.ref, 1, 10, (struct hub_slot_end){ 4, 1, HUB_TO_PEER }, 0, &r),
	     -ESTALE);
	T_EQ(hub_slot_take(&peer, s.ref, 1, 10, (struct hub_slot_end){ 3, 2, HUB_TO_PEER }, 0, &r),
	     -ESTALE);
	T_EQ(hub_slot_take(&peer, s.ref, 1, 10, to_peer, 0, &r), 0);
	T_EQ(hub_slot_take(&peer, s.ref, 1, 10, to_peer, 0, &r), -ESTALE); /* once */
}

TEST(a_class_grows_to_its_limit_and_no_further)
{
	struct hub_slot_ref s[8], one_more;

	open_small();
	T_EQ(hub_slot_published(&host, 1), 4);
	for (int i = 0; i < 8; i++)
		T_EQ(claim(i % 2 ? &host : &peer, 1, 65536, i % 2 ? to_peer : to_host, true, &s[i]), 0);
	T_EQ(hub_slot_published(&host, 1), 8);
	T_EQ(hub_slot_published(&peer, 1), 8);
	T_EQ(hub_map_class(&map, 1)->grown, 1);
	T_EQ(claim(&host, 1, 1, to_peer, true, &one_more), -EAGAIN);
	T_EQ(hub_map_class(&map, 1)->failed, 1);
	T_EQ(hub_slot_count(&host, 1, to_peer), 4);
	T_EQ(hub_slot_count(&host, 1, to_host), 4);
	hub_slot_free(&host, &s[1]);
	T_EQ(claim(&host, 1, 1, to_peer, true, &one_more), 0);
}

TEST(the_first_slots_of_a_class_are_for_answers)
{
	struct hub_slot_ref s, kept;

	open_small();
	T_EQ(map.klass[2].answers, 1); /* of 4 */
	for (int i = 0; i < 3; i++)
		T_EQ(claim(&host, 2, 100, to_peer, false, &s), 0);
	T_EQ(claim(&host, 2, 100, to_peer, false, &s), -EAGAIN);
	T_EQ(claim(&host, 2, 100, to_peer, true, &kept), 0);
	T_EQ(HUB_SLOT_REF_INDEX(kept.ref), 0);
	hub_slot_free(&host, &kept);
	T_EQ(claim(&host, 2, 100, to_peer, false, &s), -EAGAIN); /* not by its hint either */
	T_EQ(claim(&peer, 2, 100, to_host, true, &kept), 0);
}

TEST(the_last_quarter_of_a_class_is_not_for_the_class_below)
{
	struct hub_slot_ref s[4];

	open_small();
	T_EQ(hub_slot_may_go_up(&host, 2), true); /* 4 of 4 free */
	for (int i = 0; i < 2; i++)
		T_EQ(claim(&host, 2, 100, to_peer, true, &s[i]), 0);
	T_EQ(hub_slot_may_go_up(&host, 2), true); /* 2 free */
	T_EQ(claim(&host, 2, 100, to_peer, true, &s[2]), 0);
	T_EQ(hub_slot_may_go_up(&host, 2), false); /* 1 free: the last quarter */
	T_EQ(hub_slot_may_go_up(&host, 3), false); /* there is no such class */
}

TEST(a_published_count_that_was_scribbled_over_leads_nowhere)
{
	struct hub_slot_ref s;

	open_small();
	hub_put32(&hub_map_class(&map, 1)->slots, UINT32_MAX);
	T_EQ(hub_slot_published(&host, 1), 8);
	T_EQ(hub_slot_published(&peer, 1), 8);
	hub_put32(&hub_map_class(&map, 1)->slots, 0);
	T_EQ(hub_slot_published(&host, 1), 8); /* what the host knows stays */
	hub_put32(&hub_map_class(&map, 1)->hint, UINT32_MAX);
	T_EQ(claim(&host, 1, 100, to_peer, true, &s), 0);
}

TEST(the_sweep_takes_back_what_a_dead_peer_leaves_and_nothing_else)
{
	/* who made it, state, swept? */
	static const struct {
		struct hub_slot_end end;
		unsigned state;
		bool swept;
	} row[] = {
		{ { 3, 1, HUB_TO_HOST }, HUB_SLOT_ALLOCATED, true },
		{ { 3, 1, HUB_TO_HOST }, HUB_SLOT_IN_FLIGHT, true },
		{ { 3, 1, HUB_TO_HOST }, HUB_SLOT_HELD, false },     /* the host reads it */
		{ { 3, 1, HUB_TO_PEER }, HUB_SLOT_ALLOCATED, false }, /* the host fills it */
		{ { 3, 1, HUB_TO_PEER }, HUB_SLOT_IN_FLIGHT, true },
		{ { 3, 1, HUB_TO_PEER }, HUB_SLOT_HELD, true },
		{ { 3, 2, HUB_TO_HOST }, HUB_SLOT_ALLOCATED, false }, /* its successor's */
		{ { 4, 1, HUB_TO_HOST }, HUB_SLOT_ALLOCATED, false }, /* another peer's */
		{ { 3, 1, HUB_TO_HOST }, HUB_SLOT_FREE, false },
	};
	enum { N = sizeof(row) / sizeof(row[0]) };

	open_small();
	for (unsigned i = 0; i < N; i++)
		hub_put64(&hub_map_slot(&map, 0, i)->word,
			  HUB_SLOT_WORD(row[i].state, row[i].end.direction, row[i].end.peer,
					row[i].end.incarnation, 9));
	T_EQ(hub_slot_sweep(&host, 3, 1, 55), 4);
	for (unsigned i = 0; i < N; i++) {
		const unsigned now = HUB_SLOT_STATE(word_of(HUB_SLOT_REF(0, i)));

		if (now != (row[i].swept ? HUB_SLOT_FREE : row[i].state))
			T_FAIL("row %u: state %u", i, now);
	}
	T_EQ(hub_slot_sweep(&host, 3, 1, 55), 0);
}

TEST(who_frees_a_slot_sees_that_somebody_waits_for_one)
{
	struct hub_slot_ref s;

	open_small();
	T_EQ(claim(&host, 1, 1, to_peer, true, &s), 0);
	hub_slot_announce(&peer, 1);
	T_EQ(hub_slot_free(&host, &s), true);
	T_EQ(hub_slot_unannounce(&host), true);
	T_EQ(hub_slot_unannounce(&host), false);
	T_EQ(claim(&host, 1, 1, to_peer, true, &s), 0);
	T_EQ(hub_slot_free(&host, &s), false);
}

/* ---- pages ------------------------------------------------------------------------------------ */

TEST(only_what_a_payload_reaches_gets_pages)
{
	struct hub_slot_ref s;
	uint32_t room;

	open_small();
	const uint64_t before = blocks();

	T_EQ(claim(&host, 2, (1 << 20) + 1, to_peer, true, &s), 0); /* two parts of 1 MiB of four */
	T_EQ(blocks() - before, 2 << 20);
	memset(hub_slot_payload(&host, s.ref, &room), 1, (1 << 20) + 1);
	T_EQ(room, 4 << 20);
	T_EQ(blocks() - before, 2 << 20);
	T_EQ(claim(&peer, 0, 10, to_host, true, &s), 0);
	T_EQ(blocks() - before, (2 << 20) + HUB_CHUNK); /* small ones by the chunk */
	T_EQ(claim(&peer, 0, 10, to_host, true, &s), 0);
	T_EQ(blocks() - before, (2 << 20) + HUB_CHUNK);
}

TEST(idle_pages_go_back_after_two_looks_and_busy_ones_stay)
{
	struct hub_slot_ref busy, s[3];
	bool more;

	open_small();
	const uint64_t before = blocks();

	T_EQ(claim(&host, 2, 4 << 20, to_peer, true, &busy), 0);
	for (int i = 0; i < 3; i++)
		T_EQ(claim(&peer, i < 2 ? 1 : 2, i < 2 ? 65536 : 4 << 20, to_host, true, &s[i]), 0);
	for (int i = 0; i < 3; i++)
		hub_slot_free(&peer, &s[i]);
	T_EQ(blocks() - before, (8 << 20) + 2 * 65536);
	T_EQ(hub_slot_punch(&host, &more), 0); /* the first look only notes */
	T_EQ(more, true);
	T_EQ(claim(&peer, 1, 65536, to_host, true, &s[0]), 0); /* used in between */
	hub_slot_free(&peer, &s[0]);
	T_EQ(hub_slot_punch(&host, &more), (4 << 20) + 65536);
	T_EQ(blocks() - before, (4 << 20) + 65536);
	T_EQ(hub_slot_punch(&host, &more), 65536);
	T_EQ(more, true); /* the one that is held */
	hub_slot_free(&host, &busy);
	T_EQ(hub_slot_punch(&host, &more), 0);
	T_EQ(hub_slot_punch(&host, &more), 4 << 20);
	T_EQ(more, false);
	T_EQ(blocks(), before);
	/* and they come again */
	T_EQ(claim(&peer, 2, 4 << 20, to_host, true, &s[0]), 0);
	T_EQ(blocks() - before, 4 << 20);
}

TEST(a_chunk_with_one_small_slot_in_use_is_not_punched)
{
	struct hub_slot_ref s[130];
	bool more;

	open_small();
	for (int i = 0; i < 130; i++) /* more than the first two chunks of 64 */
		T_EQ(claim(&host, 0, 1024, to_peer, true, &s[i]), 0);
	for (int i = 0; i < 130; i++)
		if (i != 70)
			hub_slot_free(&host, &s[i]);
	hub_slot_punch(&host, &more);
	T_EQ(hub_slot_punch(&host, &more), HUB_CHUNK); /* the third; the first stays, as always */
	hub_slot_free(&host, &s[70]);
	hub_slot_punch(&host, &more);
	T_EQ(hub_slot_punch(&host, &more), HUB_CHUNK);
	T_EQ(more, false);
}

static bool mount_small(char *dir, const char *size)
{
	char options[64];

	snprintf(dir, PATH_MAX, "%s/small", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	snprintf(options, sizeof(options), "size=%s", size);
	mkdir(dir, 0700);
	return mount("tmpfs", dir, "tmpfs", 0, options) == 0;
}

TEST(a_full_filesystem_is_ENOSPC_counted_and_over_when_there_is_room_again)
{
	char dir[PATH_MAX], hub_path[PATH_MAX + 16];
	struct shmhub_config c = small_config();
	struct hub_slot_ref big[4], s = { HUB_NO_SLOT, 0 };
	uint32_t room;
	int n = 0, r;

	if (!mount_small(dir, "16m"))
		t_skip("mounting a tmpfs needs root: %s", strerror(errno));
	snprintf(hub_path, sizeof(hub_path), "%s/a.hub", dir);
	c.memfd = 0;
	c.path = hub_path;
	open_hub(&c);
	while (n < 4 && !(r = claim(&host, 2, 4 << 20, to_peer, true, &big[n]))) {
		memset(hub_slot_payload(&host, big[n].ref, &room), 1, 4 << 20);
		n++;
	}
	T_EQ(n, 3); /* 12 MiB and the tables */
	T_EQ(r, -ENOSPC);
	T_EQ(hub_map_class(&map, 2)->no_space, 1);
	T_EQ(map.host->no_space, 1);
	T_OK(map.host->no_space_ns > 0);
	T_EQ(hub_slot_count(&host, 2, to_peer), 3); /* the one that failed is not held */
	T_EQ(claim(&peer, 2, 4 << 20, to_host, true, &s), -ENOSPC);
	T_EQ(claim(&peer, 2, 1 << 20, to_host, true, &s), 0); /* a smaller one still fits */
	hub_slot_free(&peer, &s);
	hub_slot_free(&host, &big[0]);
	T_EQ(claim(&host, 2, 4 << 20, to_peer, true, &big[0]), 0);
	unlink(hub_path);
	umount2(dir, MNT_DETACH);
	rmdir(dir);
}
