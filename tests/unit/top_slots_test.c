#include "shmtop/top_slots.h"

#include "tests/state_build.h"
#include "tests/t.h"

TEST(slots_belong_to_whoever_must_give_them_back)
{
	struct state *st = build_state(0);
	struct state_hub *hub = build_hub(st, 2);
	struct state_class *k = build_class(st, hub, 1024, 100);
	const struct state_peer *one = build_peer(hub, 1), *two = build_peer(hub, 2);

	build_owner(st, hub, k, one, HUB_TO_PEER, HUB_SLOT_ALLOCATED, 1, 0); /* host */
	build_owner(st, hub, k, one, HUB_TO_PEER, HUB_SLOT_IN_FLIGHT, 2, 0); /* host */
	build_owner(st, hub, k, one, HUB_TO_PEER, HUB_SLOT_HELD, 4, 0);      /* one */
	build_owner(st, hub, k, two, HUB_TO_HOST, HUB_SLOT_ALLOCATED, 8, 0); /* two */
	build_owner(st, hub, k, two, HUB_TO_HOST, HUB_SLOT_IN_FLIGHT, 16, 3); /* two */
	build_owner(st, hub, k, two, HUB_TO_HOST, HUB_SLOT_HELD, 32, 0);     /* host */
	T_EQ(top_owner_of(hub, 0).slots, 1 + 2 + 32);
	T_EQ(top_owner_of(hub, 1).slots, 4);
	T_EQ(top_owner_of(hub, 2).slots, 8 + 16);
	T_EQ(top_owner_of(hub, 2).dead, 0);

	const struct top_class c = top_class_of(hub, k, st->now_us);
	T_EQ(c.total, 100);
	T_EQ(c.used, 63);
	T_EQ(c.free, 37);
	T_EQ(c.allocated, 9);
	T_EQ(c.in_flight, 18);
	T_EQ(c.held, 36);
	T_EQ(c.dead, 0);
	T_EQ(c.oldest_us, 3000000);
	T_EQ(c.owner, 0);
	T_EQ(c.owner_slots, 35);
	T_STR(top_owner_name(hub, 2), "thumbs");
	T_STR(top_owner_name(hub, 9), "?");
	build_free(st);
}

TEST(slots_of_the_dead_are_counted_apart_and_told_as_theirs)
{
	struct state *st = build_state(0);
	struct state_hub *hub = build_hub(st, 1);
	struct state_class *k = build_class(st, hub, 65536, 64);
	struct state_peer *p = build_peer(hub, 1);

	build_owner(st, hub, k, p, HUB_TO_PEER, HUB_SLOT_HELD, 4, 41);
	build_owner(st, hub, k, p, HUB_TO_HOST, HUB_SLOT_IN_FLIGHT, 8, 41);
	p->state = HUB_PEER_DEAD;
	p->alive = STATE_NO;
	const struct top_class c = top_class_of(hub, k, st->now_us);
	T_EQ(c.dead, 12);
	T_EQ(c.held + c.in_flight, 0);
	T_EQ(c.used, 12);
	T_EQ(top_owner_of(hub, 1).dead, 12);
	T_OK(top_slot_is_dead(hub, &hub->slot[0]));

	/* the next start of that peer has its own */
	p->state = HUB_PEER_LIVE;
	p->alive = STATE_YES;
	T_EQ(top_class_of(hub, k, st->now_us).dead, 0);
	p->incarnation++;
	T_EQ(top_class_of(hub, k, st->now_us).dead, 12);
	build_free(st);
}
