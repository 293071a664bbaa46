#include "lib/state/hub_look.h"
#include "lib/state/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/as/as_ring.h"
#include "lib/proc/proc_ident.h"
#include "tests/feed_build.h"
#include "tests/hub_build.h"
#include "tests/t.h"

static struct hub_build b;
static struct state st;

static uint64_t mono_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Reads the file into `st`. 0 or the error. */
static int look_at(const char *path, struct err *err)
{
	const char *const paths[] = { path, NULL };
	struct source *src;
	int e = source_open_paths(paths, NULL, &src, err);

	if (e)
		return e;
	e = source_next(src, &st, err);
	if (e == 1) {
		struct state more;

		T_EQ(source_next(src, &more, err), 0);
	}
	source_close(src);
	return e == 1 ? 0 : e ? e : -ENODATA;
}

static const struct state_hub *look(void)
{
	struct err err;

	if (look_at(b.path, &err))
		T_FAIL("%s", err.text);
	T_EQ(st.hubs, 1);
	return &st.hub[0];
}

static const struct state_ring *look_at_ring(unsigned peer, unsigned dir)
{
	return &state_find_peer(look(), peer)->ring[dir];
}

static void done(void)
{
	state_fini(&st);
	hub_build_close(&b);
}

static uint64_t created_us(void)
{
	return b.header->created_ns / 1000;
}

TEST(a_sound_hub_is_told_as_it_is)
{
	hub_build_open(&b, 3);
	hub_build_put(&b, 2, HUB_RECV, 1);
	hub_build_put(&b, 2, HUB_RECV, 3);
	hub_build_put(&b, 2, HUB_RECV, 1);
	hub_build_take(&b, 2, HUB_RECV);
	struct hub_ring *r = hub_build_ring(&b, 2, HUB_RECV);

	atomic_store(&r->bells, 5);
	atomic_store(&r->bell_head, 1);
	atomic_store(&r->bell_ms, 91000);
	atomic_store(&r->sending, 7);
	atomic_store(&hub_build_host(&b)->calls_pending, 1);
	atomic_store(&hub_build_slot(&b, 0, 5)->word, HUB_SLOT_WORD(HUB_SLOT_HELD, HUB_TO_PEER, 2, 1, 9));
	atomic_store(&hub_build_slot(&b, 0, 5)->time_ms, 90000);
	atomic_store(&hub_build_slot(&b, 0, 6)->word,
		     HUB_SLOT_WORD(HUB_SLOT_IN_FLIGHT, HUB_TO_HOST, 3, 1, 4));
	atomic_store(&hub_build_slot(&b, 0, 6)->time_ms, HUB_BUILD_AGE_MS - 1500); /* young */
	struct hub_call *call = hub_build_call(&b, 0, 0);

	call->id = 65537;
	call->method = 2;
	call->enqueued_peer = 2;
	call->enqueued_at = 2;
	call->started_ns = b.header->created_ns + 90000 * UINT64_C(1000000);
	call->for_peer = 3;
	atomic_store(&call->word, HUB_CALL_WORD(HUB_CALL_PENDING, 2, 1));
	struct hub_call *theirs = hub_build_call(&b, 3, 1);

	theirs->id = 2 | 5 << 16;
	atomic_store(&theirs->word, HUB_CALL_WORD(HUB_CALL_PENDING, 3, 5));
	hub_build_call(&b, 3, 2)->id = 3 | 6 << 16; /* being reused: its word is of generation 5 */
	atomic_store(&hub_build_call(&b, 3, 2)->word, HUB_CALL_WORD(HUB_CALL_PENDING, 3, 5));

	const struct state_hub *hub = look();

	T_EQ(st.inputs, 1);
	T_STR(st.input[0].type, "hub");
	T_OK(st.input[0].complete && !st.input[0].note);
	T_EQ(st.sources, STATE_HUB_FILE);
	T_EQ(st.single_moment, true);
	T_EQ(st.sees_processes, false);
	T_EQ(st.sees_bells, false);
	T_EQ(hub->id, 0xfeed);
	T_EQ(hub->source, STATE_HUB_FILE);
	T_STR(hub->writer, "0.1.0");
	T_EQ(hub->created_us, created_us());
	T_EQ(hub->host_pid, getpid());
	T_EQ(hub->host_alive, STATE_YES);
	T_EQ(hub->calls_pending, 1);
	T_OK(!hub->damage);
	T_EQ(hub->peers, 3);

	const struct state_peer *p = state_find_peer(hub, 2);

	T_STR(p->name, "p2");
	T_EQ(p->alive, STATE_YES);
	T_EQ(p->stopped, STATE_UNKNOWN);
	T_EQ(p->process, -1);
	T_EQ(p->beat.state, HUB_BEAT_ASLEEP);
	T_EQ(p->beat.since_us, created_us() + 92000000);
	T_EQ(p->flag, HUB_ASLEEP_MESSAGE);
	T_EQ(p->flag_us, created_us() + 92000000);
	const struct state_ring *s = &p->ring[HUB_RECV];

	T_OK(!s->damage);
	T_EQ(s->head, 5);
	T_EQ(s->tail, 1);
	T_EQ(s->published, 5);
	T_EQ(s->waiting, 2);
	T_EQ(s->read, 1);
	T_EQ(s->written, 3);
	T_EQ(s->capacity, HUB_BUILD_CELLS);
	T_EQ(s->bell, -1);
	T_EQ(s->bells, 5);
	T_EQ(s->bell_us, created_us() + 91000000);
	T_EQ(s->sending_tid, 7);
	T_EQ(s->oldest.position, 1);
	T_EQ(s->oldest.kind, HUB_KIND_CALL);
	T_EQ(s->oldest.call, 65537);
	T_EQ(s->oldest.time_us, created_us() + 92000000);
	T_EQ(s->newest.position, 4);
	T_EQ(p->ring[HUB_SEND].waiting, 0);

	T_EQ(hub->classes, 2);
	T_EQ(hub->klass[0].bytes, 1024);
	T_EQ(hub->klass[0].slots, 64);
	T_EQ(hub->klass[0].slots_max, 512);
	T_EQ(hub->klass[0].count[HUB_SLOT_FREE], 62);
	T_EQ(hub->klass[0].count[HUB_SLOT_HELD], 1);
	T_EQ(hub->klass[0].owners, 2);
	T_EQ(hub->klass[0].owner[0].peer, 2);
	T_EQ(hub->klass[0].owner[0].oldest_us, created_us() + 90000000);
	T_EQ(hub->slots, 1);
	T_EQ(hub->slot[0].index, 5);
	T_EQ(hub->slot[0].generation, 9);
	T_EQ(hub->slots_listed, true);

	T_EQ(hub->calls, 2);
	T_EQ(hub->call[0].by, 0);
	T_EQ(hub->call[0].peer, 2);
	T_EQ(hub->call[0].enqueued_at, 2);
	T_EQ(hub->call[0].for_peer, 3);
	T_EQ(hub->call[1].by, 3);
	T_EQ(hub->call[1].id, 2 | 5 << 16);
	done();
}

/* ---- time -------------------------------------------------------------------------------- */

TEST(a_hub_whose_host_is_gone_is_told_at_its_last_sign_of_life)
{
	hub_build_open(&b, 1);
	look();
	T_EQ(st.now_us, created_us() + (HUB_BUILD_AGE_MS - 1000) * UINT64_C(1000));
	T_EQ(st.hub[0].seen_us, st.now_us);
	state_fini(&st);

	/* a newer one at a peer counts too, one from the future does not */
	atomic_store(&hub_build_peer(&b, 1)->peer_asleep_ms, HUB_BUILD_AGE_MS - 500);
	atomic_store(&hub_build_ring(&b, 1, HUB_RECV)->bell_ms, HUB_BUILD_AGE_MS + 3600000);
	look();
	T_EQ(st.now_us, created_us() + (HUB_BUILD_AGE_MS - 500) * UINT64_C(1000));
	T_EQ(st.hub[0].peer[0].ring[HUB_RECV].bell_us, 0);
	done();
}

TEST(a_hub_that_a_host_holds_is_told_as_of_now)
{
	hub_build_open(&b, 1);
	hub_build_lock(&b);
	const uint64_t before = mono_us();

	look();
	T_OK(st.now_us >= before && st.now_us <= mono_us());
	T_EQ(st.hub[0].host_alive, STATE_YES);
	done();
}

TEST(a_hub_of_another_boot_is_dead_and_keeps_its_own_time)
{
	hub_build_open(&b, 1);
	b.header->boot_id[3] ^= 1;
	b.header->created_ns = 5 * UINT64_C(1000000000);
	b.header->created_real_ns = 1700000005 * UINT64_C(1000000000);
	hub_build_peer(&b, 1)->started_ns = 6 * UINT64_C(1000000000);
	atomic_store(&hub_build_host(&b)->last_alive_ns, 104 * UINT64_C(1000000000));
	hub_build_seal(&b);
	hub_build_lock(&b); /* a lock proves nothing: somebody looks at an old copy */
	look();
	T_EQ(st.now_us, 104000000);
	T_EQ(st.real_offset_us, 1700000000000000);
	T_EQ(st.hub[0].host_alive, STATE_NO);
	T_EQ(st.hub[0].peer[0].alive, STATE_NO);
	T_EQ(st.hub[0].peer[0].flag_us, 5000000 + 92000000);
	done();
}

TEST(a_process_with_the_pid_but_another_start_time_is_not_alive)
{
	hub_build_open(&b, 2);
	hub_build_peer(&b, 1)->start++;
	b.header->host_start++;
	hub_build_seal(&b);
	look();
	T_EQ(st.hub[0].host_alive, STATE_NO);
	T_EQ(st.hub[0].peer[0].alive, STATE_NO);
	T_EQ(st.hub[0].peer[1].alive, STATE_YES);
	done();
}

TEST(pids_of_another_namespace_are_not_looked_up_here)
{
	hub_build_open(&b, 1);
	b.header->pid_ns++;
	hub_build_seal(&b);
	look();
	T_EQ(st.hub[0].host_alive, STATE_NO); /* nobody holds the file */
	T_EQ(st.hub[0].peer[0].alive, STATE_UNKNOWN);
	state_fini(&st);
	hub_build_lock(&b);
	look();
	T_EQ(st.hub[0].host_alive, STATE_YES);
	done();
}

/* ---- rings ------------------------------------------------------------------------------- */

static void three_waiting(void)
{
	hub_build_open(&b, 2);
	for (int i = 0; i < 5; i++)
		hub_build_put(&b, 1, HUB_RECV, 1);
	hub_build_take(&b, 1, HUB_RECV);
	hub_build_take(&b, 1, HUB_RECV);
}

static void expect_ring_damage(const char *words)
{
	const struct state_ring *r = look_at_ring(1, HUB_RECV);

	T_HAS(r->damage, words);
	T_EQ(r->waiting, 0);
	T_EQ(r->oldest.is_there, false);
	T_EQ(r->written, r->read);
	/* the others are told all the same */
	T_OK(!st.hub[0].peer[0].ring[HUB_SEND].damage);
	T_OK(!st.hub[0].peer[1].ring[HUB_RECV].damage);
	T_OK(!st.hub[0].damage);
	done();
}

TEST(a_tail_ahead_of_head_by_one_message_is_legal)
{
	three_waiting();
	hub_build_put(&b, 1, HUB_RECV, 4);
	struct hub_ring *r = hub_build_ring(&b, 1, HUB_RECV);

	/* published, head not stored yet, and already taken */
	atomic_store(&r->head, 5);
	atomic_store(&r->tail, 9);
	const struct state_ring *s = look_at_ring(1, HUB_RECV);

	T_OK(!s->damage);
	T_EQ(s->waiting, 0);
	T_EQ(s->published, 9);
	done();
}

TEST(a_message_whose_head_was_never_stored_counts_as_waiting)
{
	three_waiting();
	atomic_store(&hub_build_ring(&b, 1, HUB_RECV)->head, 4); /* its producer died in between */
	const struct state_ring *s = look_at_ring(1, HUB_RECV);

	T_OK(!s->damage);
	T_EQ(s->head, 4);
	T_EQ(s->published, 5);
	T_EQ(s->waiting, 3);
	done();
}

TEST(a_tail_far_ahead_of_head_is_damage)
{
	three_waiting();
	atomic_store(&hub_build_ring(&b, 1, HUB_RECV)->tail, 9007199254741);
	expect_ring_damage("written 5, read 9007199254741 (more than written)");
}

TEST(a_head_further_ahead_than_the_ring_is_long_is_damage)
{
	three_waiting();
	atomic_store(&hub_build_ring(&b, 1, HUB_RECV)->head, 2 + HUB_BUILD_CELLS + 1);
	expect_ring_damage("written 19, read 2 (further apart than the ring is long)");
}

TEST(a_head_beyond_the_last_published_cell_is_damage)
{
	three_waiting();
	atomic_store(&hub_build_ring(&b, 1, HUB_RECV)->head, 9);
	expect_ring_damage("written 9, but its cells end at 5");
}

TEST(a_head_far_behind_the_published_cells_is_damage)
{
	hub_build_open(&b, 2);
	for (int i = 0; i < 8; i++)
		hub_build_put(&b, 1, HUB_RECV, 1);
	atomic_store(&hub_build_ring(&b, 1, HUB_RECV)->head, 1);
	expect_ring_damage("written 1, but its cells go on to 8");
}

TEST(a_cell_with_the_word_of_another_place_is_damage)
{
	three_waiting();
	atomic_store(&hub_build_cell(&b, 1, HUB_RECV, 3)->word, HUB_WORD(1004, 1, 1));
	expect_ring_damage("cell 3 carries the word of position 1004");
}

TEST(a_first_cell_that_claims_to_be_a_continuation_is_damage)
{
	three_waiting();
	atomic_store(&hub_build_cell(&b, 1, HUB_RECV, 2)->word, HUB_WORD(2, 0, 1));
	expect_ring_damage("cell 2 carries the word of position 2");
}

TEST(a_message_of_no_or_seven_cells_is_damage)
{
	three_waiting();
	atomic_store(&hub_build_cell(&b, 1, HUB_RECV, 2)->word, HUB_WORD(2, 1, 7));
	expect_ring_damage("cell 2 carries");
	three_waiting();
	atomic_store(&hub_build_cell(&b, 1, HUB_RECV, 2)->word, HUB_WORD(2, 1, 0));
	expect_ring_damage("cell 2 carries");
}

TEST(a_continuation_that_is_none_is_damage)
{
	hub_build_open(&b, 2);
	hub_build_put(&b, 1, HUB_RECV, 4);
	atomic_store(&hub_build_cell(&b, 1, HUB_RECV, 2)->word, HUB_WORD(2, 0, 3));
	expect_ring_damage("cell 2 is no continuation of 0");
}

TEST(a_descriptor_that_names_what_does_not_exist_is_damage)
{
	three_waiting();
	hub_build_cell(&b, 1, HUB_RECV, 2)->kind = 99;
	expect_ring_damage("kind 99 does not exist");
	three_waiting();
	hub_build_cell(&b, 1, HUB_RECV, 2)->slot = HUB_SLOT_REF(9, 0);
	expect_ring_damage("class 9 does not exist");
	three_waiting();
	hub_build_cell(&b, 1, HUB_RECV, 2)->len = 5000;
	expect_ring_damage("5000 bytes of payload do not fit in the ring");
	three_waiting();
	hub_build_cell(&b, 1, HUB_RECV, 2)->slot = HUB_SLOT_REF(1, 8);
	expect_ring_damage("a descriptor names slot 8 of class 1, which does not exist");
}

/* ---- tables ------------------------------------------------------------------------------ */

/* The hub's damage says so, and its rings are told all the same. */
static void expect_damage(const char *words)
{
	const struct state_hub *hub = look();

	T_HAS(hub->damage, words);
	T_EQ(st.input[0].complete, false);
	T_HAS(st.input[0].note, words);
	T_EQ(state_find_peer(hub, 1)->ring[HUB_RECV].waiting, 3);
	T_OK(!state_find_peer(hub, 1)->ring[HUB_RECV].damage);
	done();
}

TEST(slot_words_that_make_no_sense_are_counted)
{
	three_waiting();
	atomic_store(&hub_build_slot(&b, 1, 3)->word, 7);
	atomic_store(&hub_build_slot(&b, 1, 5)->word, HUB_SLOT_WORD(HUB_SLOT_HELD, 0, 99, 1, 1));
	look();
	T_EQ(st.hub[0].klass[1].bad, 2);
	T_EQ(st.hub[0].klass[1].first_bad, 3);
	T_EQ(st.hub[0].klass[1].first_bad_word, 7);
	T_EQ(st.hub[0].klass[1].first_bad_at, (uint8_t *)hub_build_slot(&b, 1, 3) - b.at);
	T_EQ(st.hub[0].klass[1].count[HUB_SLOT_FREE], 6);
	T_OK(!st.hub[0].damage); /* the others stand */
	T_OK(st.input[0].complete);
	done();
}

static void expect_class_damage(unsigned i, const char *words)
{
	const struct state_hub *hub = look();

	T_STR(hub->klass[i].damage, words);
	T_OK(!hub->klass[!i].damage);
	T_OK(!hub->damage);
	done();
}

TEST(a_class_that_contradicts_itself_is_damage)
{
	three_waiting();
	hub_build_class(&b, 0)->bytes = 1000;
	expect_class_damage(0, "slots of 1000 bytes (a power of two is legal)");
	three_waiting();
	atomic_store(&hub_build_class(&b, 1)->slots, 9);
	expect_class_damage(1, "9 slots published, room for 8");
	three_waiting();
	hub_build_class(&b, 0)->slots_max = 10;
	expect_class_damage(0, "64 slots published, 10 at most");
}

TEST(a_peer_entry_that_contradicts_itself_is_damage)
{
	three_waiting();
	atomic_store(&hub_build_peer(&b, 2)->state, 77);
	expect_damage("peer 2: state 77 does not exist (at offset ");
	three_waiting();
	hub_build_peer(&b, 2)->id = 1;
	expect_damage("peer 2: its entry says 1 (at offset ");
}

TEST(a_name_of_wild_bytes_is_told_in_printable_ones)
{
	hub_build_open(&b, 1);
	memset(hub_build_peer(&b, 1)->name, 0xff, HUB_NAME);
	memcpy(hub_build_peer(&b, 1)->name, "a\x1b[2J", 5);
	T_HAS(state_find_peer(look(), 1)->name, "a\\x1b[2J\\xff\\xff");
	done();
}

TEST(sections_that_lie_outside_the_file_or_on_each_other_are_damage)
{
	three_waiting();
	hub_build_section(&b, HUB_SECTION_PAYLOAD, 1)->offset = 1 << 30;
	hub_build_seal(&b);
	expect_damage("section table: PAYLOAD 1 lies outside the file");
	three_waiting();
	hub_build_section(&b, HUB_SECTION_CALLS, 0)->count = UINT64_MAX / 32;
	hub_build_seal(&b);
	expect_damage("section table: CALLS 0 lies outside the file");
	three_waiting();
	hub_build_section(&b, HUB_SECTION_SLOTS, 1)->offset =
		hub_build_section(&b, HUB_SECTION_SLOTS, 0)->offset;
	hub_build_seal(&b);
	expect_damage("section table: SLOTS 0 and SLOTS 1 lie on each other");
}

TEST(limits_in_the_header_are_held_against_the_tables)
{
	three_waiting();
	b.header->ring_cells = 7;
	hub_build_seal(&b);
	expect_damage("header: rings of 7 cells, but their table has room for 16");
	three_waiting();
	b.header->peers_max = 100000;
	hub_build_seal(&b);
	expect_damage("header: 100000 peers at most, but its table has 3 entries");
	three_waiting();
	b.header->classes = 40;
	hub_build_seal(&b);
	expect_damage("header: 40 classes, but their table has 2 entries");
}

TEST(a_header_that_was_scribbled_over_is_damage_and_the_rest_is_read)
{
	three_waiting();
	b.header->created_real_ns ^= 1;
	expect_damage("header: checksum ");
	three_waiting();
	b.header->magic[0] = 'x';
	expect_damage("header: the magic is overwritten");
}

TEST(tables_that_are_missing_are_told_and_the_rest_is_read)
{
	three_waiting();
	hub_build_section(&b, HUB_SECTION_SLOTS, 0)->kind = HUB_SECTION_NONE;
	hub_build_seal(&b);
	expect_damage("class 0 cannot be read (its table is missing or misshapen)");
	three_waiting();
	hub_build_section(&b, HUB_SECTION_HOST, 0)->kind = HUB_SECTION_NONE;
	hub_build_seal(&b);
	expect_damage("the host's words cannot be read");
	hub_build_open(&b, 1);
	hub_build_section(&b, HUB_SECTION_PEERS, 0)->kind = HUB_SECTION_NONE;
	hub_build_seal(&b);
	T_HAS(look()->damage, "there is no table of peers");
	done();
}

TEST(several_kinds_of_damage_are_counted_after_the_first)
{
	three_waiting();
	atomic_store(&hub_build_peer(&b, 2)->state, 77);
	atomic_store(&hub_build_peer(&b, 1)->state, 78);
	hub_build_section(&b, HUB_SECTION_HOST, 0)->kind = HUB_SECTION_NONE;
	hub_build_seal(&b);
	expect_damage("; and 2 more");
}

/* ---- files that are no hub, or not a whole one ------------------------------------------- */

static void expect_error(int code, const char *words)
{
	struct err err;

	T_EQ(look_at(b.path, &err), code);
	T_HAS(err.text, words);
	T_HAS(err.text, b.path);
}

static void write_file(const void *bytes, size_t n)
{
	snprintf(b.path, sizeof(b.path), "%s/x", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	const int fd = open(b.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	T_OK(fd >= 0);
	T_EQ(write(fd, bytes, n), n);
	close(fd);
}

TEST(a_hub_cut_off_anywhere_is_told_as_far_as_it_goes_or_refused)
{
	uint64_t cut[2 * HUB_SECTIONS];
	size_t n = 0;

	three_waiting();
	for (unsigned i = 0; i < b.header->section_count; i++) {
		const struct hub_section *s = &b.header->section[i];

		cut[n++] = s->offset;
		cut[n++] = s->offset + s->stride * s->count - 1;
	}
	const uint64_t whole = b.header->file_bytes;

	hub_build_close(&b);
	for (size_t i = 0; i < n; i++) {
		three_waiting();
		hub_build_cut(&b, cut[i]);
		const struct state_hub *hub = look();

		T_HAS(hub->damage, "truncated");
		T_EQ(hub->file_bytes, whole);
		done();
	}
	static const uint64_t in_header[] = { 1, 7, 8, 100, 487, 495 };

	for (size_t i = 0; i < sizeof(in_header) / sizeof(in_header[0]); i++) {
		three_waiting();
		hub_build_cut(&b, in_header[i]);
		expect_error(-EBADMSG, in_header[i] < 8 ? "not a hub file" : "truncated inside its header");
		hub_build_close(&b);
	}
}

TEST(a_hub_of_another_version_or_machine_is_refused_with_both_numbers)
{
	struct err err;

	hub_build_open(&b, 1);
	b.header->version = HUB_FORMAT_VERSION + 6;
	T_EQ(look_at(b.path, &err), -EPROTO);
	T_HAS(err.text, "hub layout version 7, this build reads 1");
	T_HAS(err.next, "(writer: 0.1.0)");
	b.header->version = HUB_FORMAT_VERSION;
	b.header->byte_order = 0x04030201;
	expect_error(-EBADMSG, "written by a machine of another kind");
	hub_build_close(&b);
}

TEST(foreign_files_are_refused_with_what_they_are)
{
	struct err err;
	static const uint8_t elf[64] = { 0x7f, 'E', 'L', 'F', 2, 1, 1, [16] = 3 };
	static const uint8_t core[64] = { 0x7f, 'E', 'L', 'F', 2, 1, 1, [16] = 4 };

	write_file(elf, sizeof(elf));
	expect_error(-EBADMSG, "not a hub file (starts with 7f 45 4c 46, an ELF object)");
	write_file(core, sizeof(core));
	expect_error(-EBADMSG, "a core file (this build does not read them)");
	write_file("", 0);
	expect_error(-EBADMSG, "not a hub file (it is empty)");
	write_file("x", 1);
	expect_error(-EBADMSG, "not a hub file (starts with 78)");
	write_file("{\"a\":1}\n", 8);
	expect_error(-EBADMSG, "not a feed (its first line does not say so)");
	write_file("{junk\n", 6);
	expect_error(-EBADMSG, "not a feed");
	unlink(b.path);
	expect_error(-ENOENT, "cannot be read (No such file or directory)");
	T_EQ(mkfifo(b.path, 0600), 0);
	expect_error(-EBADMSG, "not a hub file (a fifo)");
	unlink(b.path);
	T_EQ(mkdir(b.path, 0700), 0);
	expect_error(-ENOENT, "no feeds in this directory");
	rmdir(b.path);
	T_EQ(look_at("/dev/null", &err), -EBADMSG);
	T_HAS(err.text, "/dev/null: not a hub file (a character device)");
}

TEST(a_gigabyte_of_junk_is_refused_after_its_first_page)
{
	write_file("junkjunk", 8);
	T_EQ(truncate(b.path, 1 << 30), 0);
	expect_error(-EBADMSG, "not a hub file (starts with 6a 75 6e 6b)");
	/* and one that begins like JSON after its first line */
	write_file("{", 1);
	T_EQ(truncate(b.path, 1 << 30), 0);
	struct err err;

	if (!look_at(b.path, &err))
		state_fini(&st);
	else
		T_HAS(err.text, b.path);
	unlink(b.path);
}

TEST(an_unreadable_file_is_refused_with_the_reason)
{
	write_file("x", 1);
	T_EQ(chmod(b.path, 0), 0);
	if (geteuid() == 0 && seteuid(65534))
		t_skip("cannot become another user");
	expect_error(-EACCES, "cannot be read (Permission denied)");
	if (getuid() == 0)
		T_EQ(seteuid(0), 0);
	unlink(b.path);
}

/* Whatever stands in a hub, reading it ends, and stays inside our own memory. */
TEST(scribbled_hubs_are_read_without_harm)
{
	uint64_t seed = t_seed();

	for (unsigned round = 0; round < 400 * t_length(); round++) {
		three_waiting();
		const uint64_t tables = hub_build_section(&b, HUB_SECTION_BACKED, 0)->offset;

		for (unsigned i = 0; i < 1 + round % 40; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			/* half of them into the header and its section table */
			const uint64_t at = (seed >> 33) % (i % 2 ? tables : 1500);

			b.at[at] = (uint8_t)(seed >> 20);
		}
		if (round % 2)
			hub_build_seal(&b);
		struct err err;

		if (look_at(b.path, &err))
			T_OK(err.text[0]);
		else
			state_fini(&st);
		hub_build_close(&b);
	}
}

/* ---- with feeds beside it ---------------------------------------------------------------- */

/* A feed of p1 (this process), whose last dump saw its recv ring at 5/2 and its loop asleep. */
static void feed_of_p1(uint64_t handled)
{
	struct feed_build f;
	char boot[PROC_BOOT_ID];
	const unsigned long long at = created_us() + 95000000, start = b.header->host_start;

	T_EQ(proc_boot_id(boot, NULL), 0);
	feed_build_begin_boot(&f, "p1", getpid(), start, boot, 0);
	feed_build_dump(&f, 1, 0, at);
	feed_build_look(&f, 1, 1, at);
	feed_build_line(&f,
			"{'v':1,'t':'hub','d':1,'look':1,'h':0,'path':'/dev/shm/demo.hub','id':'0xfeed',"
			"'role':'peer','peer':1,'created_us':%llu}",
			(unsigned long long)created_us());
	feed_build_line(&f,
			"{'v':1,'t':'peer','d':1,'look':1,'h':0,'peer':1,'name':'p1','pid':%d,"
			"'start':%llu,'state':'live','incarnation':1,'beat':'asleep','beat_method':0,"
			"'beat_ms':%d,'flag':1,'flag_ms':%d,'handled':%llu}",
			getpid(), start, HUB_BUILD_AGE_MS - 8000, HUB_BUILD_AGE_MS - 8000,
			(unsigned long long)handled);
	feed_build_line(&f, "{'v':1,'t':'ring','d':1,'look':1,'h':0,'peer':1,'dir':'recv','head':5,"
			    "'tail':2,'capacity':16,'waiting':3,'bells':0,'bell':0}");
	feed_build_line(&f, "{'v':1,'t':'ring','d':1,'look':1,'h':0,'peer':1,'dir':'send','head':0,"
			    "'tail':0,'capacity':16,'waiting':0,'bells':0}");
	feed_build_thread(&f, 1, getpid(), 232, -1);
	feed_build_done(&f, 1, at + 10);
	feed_build_end(&f);
}

/* Reads hub file and feeds; `st` is the last of the states, which is the hub's. */
static void look_at_both(void)
{
	const char *const paths[] = { feed_build_dir(), b.path, NULL };
	struct source *src;
	struct state next;
	struct err err;
	unsigned n = 0;

	T_EQ(source_open_paths(paths, NULL, &src, &err), 0);
	while (source_next(src, &next, &err) == 1) {
		if (n++)
			state_fini(&st);
		st = next;
	}
	T_EQ(n, 2);
	source_close(src);
	T_EQ(st.sources, STATE_HUB_FILE | STATE_FEED);
	T_EQ(st.inputs, 2);
	T_EQ(st.hubs, 1);
	T_EQ(st.single_moment, false);
	T_EQ(st.hub[0].source, STATE_HUB_FILE);
	T_EQ(state_find_peer(&st.hub[0], 1)->ring[HUB_RECV].waiting, 3);
	T_EQ(st.processes, 1);
	T_EQ(st.process[0].threads, 1);
	T_EQ(st.hub[0].peer[0].process, 0);
}

TEST(a_peer_that_did_not_move_since_its_dump_counts_as_looked_at)
{
	three_waiting();
	feed_of_p1(0);
	look_at_both();
	T_EQ(st.process[0].carried, false);
	T_EQ(st.sees_processes, true);
	T_EQ(state_find_peer(&st.hub[0], 1)->ring[HUB_RECV].bell, 0);
	T_EQ(st.sees_bells, true);
	T_EQ(state_find_peer(&st.hub[0], 1)->stopped, STATE_NO);
	done();
	feed_build_clean();
}

TEST(a_peer_that_did_something_since_its_dump_is_only_carried)
{
	three_waiting();
	feed_of_p1(0);
	atomic_store(&hub_build_peer(&b, 1)->handled, 1);
	look_at_both();
	T_EQ(st.process[0].carried, true);
	T_EQ(st.sees_processes, false);
	T_EQ(state_find_peer(&st.hub[0], 1)->ring[HUB_RECV].bell, -1);
	T_EQ(state_find_peer(&st.hub[0], 1)->stopped, STATE_UNKNOWN);
	done();
	feed_build_clean();
}

TEST(a_peer_that_is_dead_by_now_is_only_carried)
{
	three_waiting();
	b.header->host_start++; /* no process of this pid started then */
	hub_build_seal(&b);
	hub_build_peer(&b, 1)->start = b.header->host_start;
	feed_of_p1(0);
	look_at_both();
	T_EQ(st.process[0].carried, true);
	done();
	feed_build_clean();
}

static bool lists_slot(const struct state_hub *hub, uint32_t i)
{
	for (size_t k = 0; k < hub->slots; k++)
		if (hub->slot[k].index == i)
			return true;
	return false;
}

TEST(a_peer_that_holds_hundreds_of_slots_does_not_hide_what_another_lost)
{
	hub_build_crowd(&b);
	const struct state_hub *hub = look();

	T_OK(lists_slot(hub, 0));
	T_OK(lists_slot(hub, HUB_LOOK_SLOTS - 1));
	T_OK(lists_slot(hub, HUB_CROWD_SENT)); /* the oldest in flight to that peer */
	T_OK(lists_slot(hub, HUB_CROWD_ANSWER)); /* and from it */
	T_OK(!lists_slot(hub, HUB_CROWD_LATER));
	T_OK(!lists_slot(hub, HUB_CROWD_HELD));
	T_EQ(hub->slots, HUB_LOOK_SLOTS + 2);
	done();
}

TEST(slots_in_more_hands_than_are_told_apart_are_said_not_to_be_seen)
{
	enum { ALL = 300 };

	hub_build_open(&b, 3);
	atomic_store(&hub_build_class(&b, 0)->slots, ALL);
	for (unsigned i = 0; i < ALL; i++) /* each start of the peer has left one */
		atomic_store(&hub_build_slot(&b, 0, i)->word,
			     HUB_SLOT_WORD(HUB_SLOT_HELD, HUB_TO_PEER, 2, i + 1, 1));
	const struct state_hub *hub = look();

	T_EQ(hub->klass[0].owners, AS_RING_OWNERS);
	for (unsigned i = 0; i < AS_RING_OWNERS; i++)
		T_EQ(hub->klass[0].owner[i].n, 1);
	T_EQ(hub->klass[0].owners_left_out, ALL - AS_RING_OWNERS);
	T_EQ(st.unseens > 0 && strstr(st.unseen[0], "44 slots of 1K are in more hands"), 1);
	done();
}

static void put_call(unsigned i, unsigned peer, unsigned age_ms)
{
	struct hub_call *call = hub_build_call(&b, 0, i);

	call->id = (i + 1) | 1 << 16;
	call->enqueued_peer = (uint16_t)peer;
	call->enqueued_at = 1 + i;
	call->started_ns = b.header->created_ns +
			   (HUB_BUILD_AGE_MS - age_ms) * UINT64_C(1000000);
	atomic_store(&call->word, HUB_CALL_WORD(HUB_CALL_PENDING, peer, 1));
}

static bool lists_call(const struct state_hub *hub, uint32_t i)
{
	for (size_t k = 0; k < hub->calls; k++)
		if (hub->call[k].id == ((i + 1) | 1 << 16))
			return true;
	return false;
}

TEST(a_peer_that_swallows_calls_does_not_hide_those_to_others)
{
	enum { MANY = HUB_BUILD_CALLS - 8, OTHER = MANY, LATER, MADE, LOST, WRONG };

	hub_build_open(&b, 3);
	for (unsigned i = 0; i < MANY; i++)
		put_call(i, 1, 90000 - i);
	put_call(OTHER, 2, 9000);
	put_call(LATER, 2, 8999);
	put_call(MADE, 2, 8998);
	hub_build_call(&b, 0, MADE)->for_call = 77;
	put_call(LOST, 2, 8997);
	hub_build_call(&b, 0, LOST)->enqueued_at = 0;
	put_call(WRONG, 2, 8996);
	hub_build_call(&b, 0, WRONG)->enqueued_peer = 3;
	const struct state_hub *hub = look();

	T_OK(lists_call(hub, 0));
	T_OK(lists_call(hub, OTHER)); /* the oldest to that peer */
	T_OK(!lists_call(hub, LATER));
	T_OK(lists_call(hub, MADE));
	T_OK(lists_call(hub, LOST));
	T_OK(lists_call(hub, WRONG));
	T_EQ(hub->calls, HUB_LOOK_CALLS + 4);
	done();
}
