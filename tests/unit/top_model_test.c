#include "shmtop/top_model.h"

#include <stdlib.h>
#include <string.h>

#include "tests/state_build.h"
#include "tests/t.h"

static const struct findings no_findings = { .verdict = "" };

static struct frame *frame(struct state *st)
{
	struct frame *f = frame_make(st, &no_findings, NULL);

	free(st);
	return f;
}

static struct top_view by_id = { .sort = TOP_BY_ID, .interval_us = 1000000 };

static const struct top_row *row_of(const struct top *top, unsigned peer)
{
	const struct top_key key = { .hub = 0x1234, .peer = peer };
	const size_t at = top_find(top, &key);

	return at < top->rows ? &top->row[at] : NULL;
}

static void update(struct top *top, struct frame **before, struct state *st,
		   const struct top_view *view)
{
	struct frame *now = frame(st);

	T_EQ(top_update(top, *before, now, view), 0);
	frame_destroy(*before);
	*before = now;
}

TEST(a_peer_is_asleep_only_when_its_message_waited_a_second_with_its_flag_set)
{
	struct top top;
	struct frame *f = NULL;

	top_init(&top);
	for (int i = 0; i < 4; i++) {
		struct state *st = build_state(i);
		struct state_hub *hub = build_hub(st, 6);

		build_deaf(st, build_peer(hub, 6), 8.4);
		build_lost_bell(st, build_peer(hub, 1), HUB_RECV, 0.5);
		build_lost_bell(st, build_peer(hub, 2), HUB_RECV, 8.4);
		build_spinning(st, build_peer(hub, 3), 8.4);
		build_stopped(st, build_peer(hub, 4));
		/* waits long, but the peer reads on: slow, not stalled */
		build_waiting(st, build_peer(hub, 5), HUB_RECV, 9, 3);
		build_peer(hub, 5)->ring[HUB_RECV].take_us = build_ago(st->now_us, 0.1);
		update(&top, &f, st, &by_id);
		T_EQ(row_of(&top, 1)->status, TOP_RUN);
		T_EQ(row_of(&top, 2)->status, TOP_ASLEEP);
		T_OK(row_of(&top, 2)->ring[HUB_RECV].bell_odd);
		T_EQ(row_of(&top, 3)->status, TOP_STALL);
		T_EQ(row_of(&top, 4)->status, TOP_STOP);
		T_EQ(row_of(&top, 5)->status, TOP_RUN);
		T_OK(!row_of(&top, 5)->ring[HUB_RECV].bell_odd);
		/* the bell took its flag away, and it went on sleeping */
		T_EQ(row_of(&top, 6)->status, TOP_ASLEEP);
		T_OK(row_of(&top, 6)->ring[HUB_RECV].bell_odd);
	}
	T_EQ(top.peers, 6);
	frame_destroy(f);
	top_fini(&top);
}

TEST(a_rate_needs_two_looks_at_the_hub)
{
	struct top top;
	struct frame *f = NULL;

	top_init(&top);
	for (int i = 0; i < 3; i++) {
		struct state *st = build_state(i * 2);
		struct state_hub *hub = build_hub(st, 1);

		build_peer(hub, 1)->ring[HUB_RECV].written += (uint64_t)(500 * i);
		if (i == 2) /* the hub itself was not read again */
			hub->seen_us = build_ago(st->now_us, 2);
		update(&top, &f, st, &by_id);
		T_EQ(row_of(&top, 1)->ring[HUB_RECV].rate, i == 1 ? 250 : -1);
	}
	T_OK(!row_of(&top, 1)->old_hub);
	struct state *st = build_state(10);
	build_hub(st, 1)->seen_us = build_ago(st->now_us, 2.5);
	update(&top, &f, st, &by_id);
	T_OK(row_of(&top, 1)->old_hub);
	frame_destroy(f);
	top_fini(&top);
}

TEST(a_peer_that_vanished_stays_thirty_seconds_as_gone)
{
	struct top top;
	struct frame *f = NULL;
	struct state *st = build_state(0);

	top_init(&top);
	build_hub(st, 3);
	update(&top, &f, st, &by_id);
	for (int i = 1; i < 40; i++) {
		st = build_state(i);
		build_hub(st, 2);
		update(&top, &f, st, &by_id);
		const struct top_row *gone = row_of(&top, 3);

		T_EQ(gone != NULL, i <= 30);
		if (gone) {
			T_EQ(gone->status, TOP_GONE);
			T_STR(gone->name, "search");
			T_OK(gone->peer == NULL);
			T_EQ(gone->status_us, i * 1000000);
		}
		T_EQ(top.peers, 2);
	}
	frame_destroy(f);
	top_fini(&top);
}

TEST(a_peer_that_comes_back_is_the_same_row_and_going_back_forgets_the_future)
{
	struct top top;
	struct frame *f = NULL;

	top_init(&top);
	for (int i = 0; i < 3; i++) {
		struct state *st = build_state(i);

		build_hub(st, i == 1 ? 2 : 3);
		update(&top, &f, st, &by_id);
	}
	T_EQ(row_of(&top, 3)->status, TOP_RUN);
	struct state *st = build_state(-5);
	build_hub(st, 1);
	update(&top, &f, st, &by_id);
	T_EQ(top.rows, 2); /* the host and peer 1 */
	frame_destroy(f);
	top_fini(&top);
}

TEST(reclaimed_peers_leave_the_list_thirty_seconds_after_their_death)
{
	struct top top;
	struct frame *f = NULL;

	top_init(&top);
	for (int i = 29; i < 33; i++) {
		struct state *st = build_state(i);
		struct state_hub *hub = build_hub(st, 2);

		build_peer(hub, 2)->state = HUB_PEER_GONE;
		build_peer(hub, 2)->died_us = BUILD_NOW_US;
		update(&top, &f, st, &by_id);
		T_EQ(row_of(&top, 2) != NULL, i <= 30);
	}
	frame_destroy(f);
	top_fini(&top);
}

static const char *order_of(const struct top *top)
{
	static char text[64];
	size_t n = 0;

	for (size_t i = 0; i < top->rows; i++)
		if (top->row[i].key.peer)
			text[n++] = (char)('0' + top->row[i].key.peer);
	text[n] = '\0';
	return text;
}

static void waiting(struct top *top, struct frame **f, double at, unsigned a, unsigned b,
		    unsigned c, const struct top_view *view)
{
	const unsigned n[] = { a, b, c };
	struct state *st = build_state(at);
	struct state_hub *hub = build_hub(st, 3);

	for (unsigned i = 0; i < 3; i++)
		if (n[i])
			build_waiting(st, build_peer(hub, i + 1), HUB_RECV, n[i], 0.1);
	update(top, f, st, view);
}

TEST(rows_move_only_when_their_value_changed_by_more_than_five_percent)
{
	const struct top_view by_recv = { .sort = TOP_BY_RECV };
	const struct top_view up = { .sort = TOP_BY_RECV, .inverted = true };
	struct top top;
	struct frame *f = NULL;

	top_init(&top);
	waiting(&top, &f, 0, 100, 99, 0, &by_recv);
	T_STR(order_of(&top), "123");
	waiting(&top, &f, 1, 100, 104, 0, &by_recv);
	T_STR(order_of(&top), "123");
	waiting(&top, &f, 2, 100, 105, 0, &by_recv);
	T_STR(order_of(&top), "213");
	waiting(&top, &f, 3, 100, 105, 200, &by_recv);
	T_STR(order_of(&top), "321");
	waiting(&top, &f, 4, 100, 105, 200, &up);
	T_STR(order_of(&top), "123");
	waiting(&top, &f, 5, 100, 99, 0, &by_id);
	T_STR(order_of(&top), "123");
	frame_destroy(f);
	top_fini(&top);
}

TEST(sort_keys_have_names_that_are_found)
{
	for (int s = 0; s < TOP_SORTS; s++)
		T_EQ(top_sort_find(top_sort_name((enum top_sort)s)), s);
	T_EQ(top_sort_find("nonsense"), -1);
}

TEST(a_damaged_ring_shows_no_numbers)
{
	struct state *st = build_state(0);
	struct state_hub *hub = build_hub(st, 1);
	struct top top;
	struct frame *f = NULL;

	build_waiting(st, build_peer(hub, 1), HUB_RECV, 7, 8);
	build_peer(hub, 1)->ring[HUB_RECV].damage = "tail is ahead of head";
	top_init(&top);
	update(&top, &f, st, &by_id);
	T_EQ(row_of(&top, 1)->ring[HUB_RECV].waiting, -1);
	T_EQ(row_of(&top, 1)->status, TOP_RUN);
	T_OK(top_is_ill(row_of(&top, 1)));
	frame_destroy(f);
	top_fini(&top);
}

TEST(a_thousand_peers_keep_their_order)
{
	struct top top;
	struct frame *f = NULL;

	top_init(&top);
	for (int i = 0; i < 3; i++) {
		struct state *st = build_state(i);

		build_hub(st, 1000);
		update(&top, &f, st, &by_id);
	}
	T_EQ(top.rows, 1001);
	for (size_t i = 0; i < top.rows; i++)
		T_EQ(top.row[i].key.peer, i);
	frame_destroy(f);
	top_fini(&top);
}
