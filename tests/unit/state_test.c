#include "lib/state/state.h"

#include <string.h>

#include "tests/t.h"

static struct state st;

static struct state_hub *hub_of(uint64_t id, uint64_t seen_us)
{
	struct state_hub *hub = state_add_hub(&st);

	hub->id = id;
	hub->path = "/dev/shm/demo.hub";
	hub->seen_us = seen_us;
	return hub;
}

/* A peer whose recv ring stands at head/tail, with `bell` unread bytes. */
static struct state_peer *peer_at(struct state_hub *hub, unsigned id, uint64_t head, uint64_t tail,
				  int64_t bell)
{
	struct state_peer *p = state_add_peer(&st, hub, id);

	p->ring[HUB_RECV].head = head;
	p->ring[HUB_RECV].tail = tail;
	p->ring[HUB_RECV].bell = bell;
	return p;
}

static struct state_process *process_of(int32_t pid, uint64_t start)
{
	struct state_process *p = state_add_process(&st);

	p->pid = pid;
	p->start = start;
	return p;
}

static int stack_of(const char *module, uint64_t offset)
{
	struct state_stack *s = state_add_stack(&st);

	s->frame = arena_take(&st.arena, sizeof(*s->frame));
	s->frames = 1;
	s->frame[0].module = module;
	s->frame[0].offset = offset;
	return (int)(s - st.stack);
}

static struct state_thread *thread_with(struct state_process *p, int stack)
{
	struct state_thread *t = state_add_thread(&st, p);

	t->stack = stack;
	return t;
}

TEST(what_is_new_is_not_known_rather_than_zero)
{
	state_init(&st);
	struct state_hub *hub = state_add_hub(&st);
	const struct state_peer *peer = state_add_peer(&st, hub, 3);
	struct state_process *p = state_add_process(&st);
	const struct state_thread *t = state_add_thread(&st, p);

	T_EQ(hub->host_alive, STATE_UNKNOWN);
	T_EQ(peer->alive, STATE_UNKNOWN);
	T_EQ(peer->ring[HUB_SEND].bell, -1);
	T_EQ(peer->exit_status, -1);
	T_EQ(peer->process, -1);
	T_EQ(p->fds, -1);
	T_EQ(t->sys, -1);
	T_EQ(t->stack, -1);
	state_fini(&st);
}

TEST(an_unseen_sentence_stands_once)
{
	state_init(&st);
	state_note_unseen(&st, "%s: no feed", "export");
	state_note_unseen(&st, "export: no feed");
	state_note_unseen(&st, "search: no feed");
	T_EQ(st.unseens, 2);
	T_STR(st.unseen[0], "export: no feed");
	state_fini(&st);
}

TEST(a_process_is_found_by_pid_and_start_time)
{
	state_init(&st);
	process_of(4112, 100);
	process_of(4112, 200);
	T_EQ(state_find_process(&st, 4112, 200)->start, 200);
	T_EQ(state_find_process(&st, 4112, 0)->start, 100);
	T_OK(!state_find_process(&st, 4112, 300));
	T_OK(!state_find_process(&st, 1, 0));
	state_fini(&st);
}

TEST(a_peer_is_found_wherever_it_lies)
{
	state_init(&st);
	struct state_hub *hub = hub_of(7, 1);

	peer_at(hub, 9, 0, 0, -1);
	peer_at(hub, 3, 0, 0, -1);
	peer_at(hub, 0, 0, 0, -1);
	T_EQ(state_find_peer(hub, 3)->id, 3);
	T_EQ(state_find_peer(hub, 0)->id, 0);
	T_EQ(state_find_peer(hub, 9)->id, 9);
	T_OK(!state_find_peer(hub, 1));
	state_fini(&st);
}

TEST(one_hub_seen_by_two_becomes_one_with_each_peer_as_the_freshest_saw_it)
{
	state_init(&st);
	struct state_hub *host = hub_of(7, 1000);

	host->klass = arena_take(&st.arena, sizeof(*host->klass));
	host->classes = 1;
	peer_at(host, 3, 10, 4, -1);
	peer_at(host, 1, 20, 20, -1);
	struct state_hub *peer = hub_of(7, 2000);

	peer_at(peer, 3, 11, 11, 0);
	T_EQ(state_join(&st), 0);
	T_EQ(st.hubs, 1);
	T_EQ(st.hub[0].classes, 1);
	T_EQ(st.hub[0].peers, 2);
	T_EQ(st.hub[0].peer[0].id, 1);
	T_EQ(state_find_peer(&st.hub[0], 3)->ring[HUB_RECV].head, 11);
	T_EQ(st.hub[0].seen_us, 2000);
	state_fini(&st);
}

TEST(bell_bytes_are_taken_over_only_if_the_ring_stood_still)
{
	state_init(&st);
	struct state_hub *peer = hub_of(7, 1000);

	peer_at(peer, 3, 10, 4, 2);
	peer_at(peer, 4, 10, 4, 2);
	struct state_hub *host = hub_of(7, 2000);

	peer_at(host, 3, 10, 4, -1);
	peer_at(host, 4, 11, 4, -1);
	T_EQ(state_join(&st), 0);
	T_EQ(state_find_peer(&st.hub[0], 3)->ring[HUB_RECV].bell, 2);
	T_EQ(state_find_peer(&st.hub[0], 4)->ring[HUB_RECV].bell, -1);
	T_EQ(state_find_peer(&st.hub[0], 4)->ring[HUB_RECV].head, 11);
	state_fini(&st);
}

TEST(each_peer_keeps_the_moment_in_which_it_was_seen)
{
	state_init(&st);
	struct state_hub *host = hub_of(7, 1000);

	host->klass = arena_take(&st.arena, sizeof(*host->klass));
	host->classes = 1;
	peer_at(host, 1, 20, 20, -1);
	peer_at(host, 3, 10, 4, -1);
	peer_at(host, 4, 5, 5, -1);
	peer_at(hub_of(7, 5000), 3, 11, 11, 0);
	peer_at(hub_of(7, 3000), 4, 6, 6, 0); /* fresher than the host's, though not than peer 3's */
	T_EQ(state_join(&st), 0);
	T_EQ(st.hub[0].seen_us, 5000);
	T_EQ(st.hub[0].tables_us, 1000);
	T_EQ(state_find_peer(&st.hub[0], 1)->seen_us, 1000);
	T_EQ(state_find_peer(&st.hub[0], 3)->seen_us, 5000);
	T_EQ(state_find_peer(&st.hub[0], 4)->seen_us, 3000);
	T_EQ(state_find_peer(&st.hub[0], 4)->ring[HUB_RECV].head, 6);
	state_fini(&st);
}

TEST(a_carried_peer_never_wins_over_one_that_was_looked_at)
{
	state_init(&st);
	struct state_hub *fresh = hub_of(7, 1000);

	peer_at(fresh, 3, 10, 10, 0);
	struct state_hub *old = hub_of(7, 5000); /* its time stamp does not help it */

	old->carried = true;
	peer_at(old, 3, 10, 4, -1)->carried = true;
	peer_at(old, 4, 1, 1, -1)->carried = true;
	T_EQ(state_join(&st), 0);
	T_EQ(st.hubs, 1);
	T_EQ(state_find_peer(&st.hub[0], 3)->ring[HUB_RECV].tail, 10);
	T_EQ(state_find_peer(&st.hub[0], 3)->carried, false);
	T_EQ(state_find_peer(&st.hub[0], 4)->carried, true);
	T_EQ(st.hub[0].seen_us, 1000);
	state_fini(&st);
}

TEST(a_damaged_look_at_a_hub_adds_nothing_to_a_sound_one)
{
	state_init(&st);
	struct state_hub *bad = hub_of(7, 5000);

	bad->damage = "truncated";
	peer_at(bad, 3, 99, 99, -1);
	struct state_hub *good = hub_of(7, 1000);

	peer_at(good, 3, 10, 4, -1);
	T_EQ(state_join(&st), 0);
	T_EQ(st.hubs, 1);
	T_OK(!st.hub[0].damage);
	T_EQ(st.hub[0].peer[0].ring[HUB_RECV].head, 10);
	state_fini(&st);
}

TEST(different_hubs_stay_apart)
{
	state_init(&st);
	hub_of(7, 1);
	hub_of(8, 1);
	T_EQ(state_join(&st), 0);
	T_EQ(st.hubs, 2);
	state_fini(&st);
}

TEST(equal_stacks_become_one_and_count_their_threads)
{
	state_init(&st);
	struct state_process *p = process_of(1, 1);

	thread_with(p, stack_of("libc.so.6", 0x10));
	thread_with(p, stack_of("libc.so.6", 0x20));
	thread_with(p, stack_of("libc.so.6", 0x10));
	thread_with(p, -1);
	for (int again = 0; again < 2; again++) {
		T_EQ(state_join(&st), 0);
		T_EQ(st.stacks, 2);
		T_EQ(p->thread[0].stack, p->thread[2].stack);
		T_EQ(st.stack[p->thread[0].stack].count, 2);
		T_EQ(st.stack[p->thread[1].stack].count, 1);
		T_EQ(st.stack[p->thread[1].stack].frame[0].offset, 0x20);
		T_EQ(p->thread[3].stack, -1);
	}
	state_fini(&st);
}

TEST(a_peer_is_linked_to_its_process_and_a_stopped_one_is_known_as_stopped)
{
	state_init(&st);
	struct state_hub *hub = hub_of(7, 1);
	struct state_peer *peer = peer_at(hub, 3, 0, 0, -1);

	peer->pid = 4112;
	peer->start = 50;
	process_of(4112, 49); /* an earlier process with this pid */
	struct state_process *p = process_of(4112, 50);

	p->state = 'T';
	p->alive = STATE_YES;
	T_EQ(state_join(&st), 0);
	T_EQ(hub->peer[0].process, 1);
	T_EQ(hub->peer[0].alive, STATE_YES);
	T_EQ(hub->peer[0].stopped, STATE_YES);
	state_fini(&st);
}

TEST(a_host_whose_dump_is_there_is_alive)
{
	state_init(&st);
	struct state_hub *hub = hub_of(7, 1);

	hub->host_pid = 4101;
	hub->host_start = 70;
	process_of(4101, 70)->alive = STATE_YES;
	T_EQ(state_join(&st), 0);
	T_EQ(hub->host_alive, STATE_YES);
	state_fini(&st);
}

TEST(a_carried_process_says_nothing_about_now)
{
	state_init(&st);
	struct state_hub *hub = hub_of(7, 1);

	peer_at(hub, 3, 0, 0, -1)->pid = 4112;
	struct state_process *p = process_of(4112, 50);

	p->state = 'T';
	p->carried = true;
	T_EQ(state_join(&st), 0);
	T_EQ(hub->peer[0].process, 0);
	T_EQ(hub->peer[0].stopped, STATE_UNKNOWN);
	state_fini(&st);
}
