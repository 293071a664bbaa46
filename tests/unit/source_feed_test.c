#include "lib/state/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/feed_build.h"
#include "tests/t.h"

static struct source *opened_with(const struct source_options *options)
{
	const char *const paths[] = { feed_build_dir(), NULL };
	struct source *src;
	struct err err;

	if (source_open_paths(paths, options, &src, &err))
		T_FAIL("%s", err.text);
	return src;
}

static struct source *opened(void)
{
	return opened_with(NULL);
}

static struct state next(struct source *src)
{
	struct state st;
	struct err err;
	const int r = source_next(src, &st, &err);

	if (r < 0)
		T_FAIL("%s", err.text);
	T_EQ(r, 1);
	return st;
}

static void no_more(struct source *src)
{
	struct state st;
	struct err err;

	T_EQ(source_next(src, &st, &err), 0);
	T_EQ(source_next(src, &st, &err), 0);
}

static bool has_note(const struct state *st, const char *part)
{
	for (size_t i = 0; i < st->unseens; i++)
		if (strstr(st->unseen[i], part))
			return true;
	return false;
}

static void put_dictionary(struct feed_build *b)
{
	feed_build_line(b, "{'v':1,'t':'module','m':0,'path':'/usr/lib/libc.so.6','build_id':'9f3c',"
			   "'bias':'0x7f0000000000','kind':'file'}");
	feed_build_line(b, "{'v':1,'t':'stack','s':0,'frames':[[0,'0x10a0c6','x'],[-1,'0x1000'],"
			   "[0,'0x271ca','g']],'end':'no-cfi'}");
}

/* search(3): asleep with `waiting` messages in its recv ring, at both looks. */
static void put_search_dump(struct feed_build *b, int d, uint64_t family, uint64_t at, int waiting)
{
	feed_build_dump(b, d, family, at);
	for (int look = 1; look <= 2; look++) {
		feed_build_look(b, d, look, at + (uint64_t)look);
		feed_build_hub(b, d, look, "peer", 3);
		feed_build_peer(b, d, look, 3, "search", 4112, 77);
		feed_build_ring(b, d, look, 3, "recv", 1034 + (uint64_t)waiting, 1034, 0);
		feed_build_ring(b, d, look, 3, "send", 9, 9, -1);
		if (look == 1) {
			put_dictionary(b);
			feed_build_thread(b, d, 4112, 232, 0);
			feed_build_thread(b, d, 4113, -1, -1);
		}
	}
	feed_build_done(b, d, at + 10);
}

/* hostd: sees peers 1 and 3; its look at peer 3 is the same, but it does not know the bell. */
static void put_host_dump(struct feed_build *b, int d, uint64_t family, uint64_t at, int waiting)
{
	feed_build_dump(b, d, family, at);
	for (int look = 1; look <= 2; look++) {
		feed_build_look(b, d, look, at + (uint64_t)look);
		feed_build_hub(b, d, look, "host", 0);
		feed_build_peer(b, d, look, 1, "fonts", 4110, 75);
		feed_build_peer(b, d, look, 3, "search", 4112, 77);
		feed_build_ring(b, d, look, 1, "recv", 5, 5, -1);
		feed_build_ring(b, d, look, 3, "recv", 1034 + (uint64_t)waiting, 1034, -1);
		feed_build_ring(b, d, look, 3, "send", 9, 9, 0);
		feed_build_line(b,
				"{'v':1,'t':'class','d':%d,'look':%d,'h':0,'class':2,'bytes':262144,"
				"'slots':32,'max':64,'free':30,'allocated':0,'in_flight':1,'held':1,"
				"'punching':0,'bad':0,'waiters':1,'claims':5,'failed':6,'no_space':7,"
				"'owners':[{'peer':3,'incarnation':2,'dir':'to_peer','state':'held',"
				"'n':1,'oldest_ms':700}]}",
				d, look);
		feed_build_line(b,
				"{'v':1,'t':'slot','d':%d,'look':%d,'h':0,'class':2,'slot':12,"
				"'state':'held','peer':3,'incarnation':2,'dir':'to_peer','generation':9,"
				"'time_ms':700,'bytes':200000,'call':65537,'method':2}",
				d, look);
		feed_build_line(b,
				"{'v':1,'t':'call','d':%d,'look':%d,'h':0,'by':0,'id':65537,"
				"'state':'pending','peer':3,'method':2,'started_us':1300000,'tid':4101,"
				"'deadline_ms':500,'enqueued_peer':3,'enqueued_at':1035,'bytes':180,"
				"'for_call':65540,'for_peer':1}",
				d, look);
	}
	put_dictionary(b);
	feed_build_thread(b, d, 4101, 202, 0);
	feed_build_line(b, "{'v':1,'t':'child','d':%d,'pid':4112,'start':77,'told':true,'reason':null}",
			d);
	feed_build_line(b,
			"{'v':1,'t':'child','d':%d,'pid':4110,'start':75,'name':'fonts','state':'T',"
			"'told':false,'reason':'stopped by a signal'}",
			d);
	feed_build_done(b, d, at + 10);
}

TEST(a_dump_gives_a_state_for_each_look_with_all_that_was_recorded)
{
	struct feed_build b;

	feed_build_begin(&b, "hostd", 4101, 70);
	put_host_dump(&b, 1, 0, 2000000, 7);
	feed_build_end(&b);
	struct source *src = opened();
	struct state st = next(src);

	T_EQ(st.now_us, 2000001);
	T_EQ(st.real_offset_us, 1700000000000000);
	T_EQ(st.single_moment, true);
	T_EQ(st.sources, STATE_FEED);
	T_EQ(st.inputs, 1);
	T_STR(st.input[0].type, "feed");
	T_OK(st.input[0].complete && !st.input[0].note);
	T_EQ(st.input[0].from_us, 1000000);
	T_EQ(st.input[0].to_us, 2000010);

	T_EQ(st.hubs, 1);
	const struct state_hub *hub = &st.hub[0];

	T_STR(hub->path, "/dev/shm/demo.hub");
	T_EQ(hub->id, 0xfeed);
	T_EQ(hub->source, STATE_FEED);
	T_EQ(hub->seen_us, 2000001);
	T_EQ(hub->host_pid, 4101);
	T_EQ(hub->host_alive, STATE_YES);
	T_EQ(hub->created_us, 500000);
	T_EQ(hub->last_alive_us, 1900000);
	T_EQ(hub->calls_refused, 4);
	T_EQ(hub->no_space_us, 1800000);
	T_OK(!hub->stopping && !hub->carried && !hub->damage);
	T_EQ(hub->peers, 2);

	const struct state_peer *p = state_find_peer(hub, 3);

	T_STR(p->name, "search");
	T_EQ(p->pid, 4112);
	T_EQ(p->state, HUB_PEER_LIVE);
	T_EQ(p->incarnation, 2);
	T_EQ(p->exit_status, -1);
	T_EQ(p->beat.state, HUB_BEAT_ASLEEP);
	T_EQ(p->beat.since_us, 500000 + 700000);
	T_EQ(p->host_beat.state, HUB_BEAT_HANDLER);
	T_EQ(p->host_beat.method, 7);
	T_EQ(p->flag, 1);
	T_EQ(p->flag_us, 1200000);
	T_EQ(p->host_flag_us, 0);
	T_EQ(p->alive, STATE_UNKNOWN);
	T_EQ(p->process, -1);
	T_EQ(p->handled, 1034);
	const struct state_ring *r = &p->ring[HUB_RECV];

	T_EQ(r->head, 1041);
	T_EQ(r->waiting, 7);
	T_EQ(r->read, 1034);
	T_EQ(r->written, 1041);
	T_EQ(r->bell, -1);
	T_EQ(p->ring[HUB_SEND].bell, 0);
	T_EQ(r->bell_us, 1150000);
	T_EQ(r->oldest.is_there, true);
	T_EQ(r->oldest.time_us, 1400000);
	T_EQ(r->oldest.position, 1034);
	T_EQ(r->oldest.kind, HUB_KIND_CALL);
	T_EQ(r->oldest.slot, HUB_NO_SLOT);
	T_EQ(r->newest.is_there, false);

	T_EQ(hub->classes, 1);
	T_EQ(hub->klass[0].bytes, 262144);
	T_EQ(hub->klass[0].count[HUB_SLOT_FREE], 30);
	T_EQ(hub->klass[0].count[HUB_SLOT_HELD], 1);
	T_EQ(hub->klass[0].slots_max, 64);
	T_EQ(hub->klass[0].owners, 1);
	T_EQ(hub->klass[0].owner[0].slot_state, HUB_SLOT_HELD);
	T_EQ(hub->klass[0].owner[0].direction, HUB_TO_PEER);
	T_EQ(hub->klass[0].owner[0].oldest_us, 1200000);
	T_EQ(hub->slots_listed, true);
	T_EQ(hub->slots, 1);
	T_EQ(hub->slot[0].generation, 9);
	T_EQ(hub->calls, 1);
	T_EQ(hub->call[0].call_state, HUB_CALL_PENDING);
	T_EQ(hub->call[0].started_us, 1300000);
	T_EQ(hub->call[0].for_peer, 1);

	T_EQ(st.sees_processes, true);
	T_EQ(st.sees_bells, true);
	const struct state_process *host = state_find_process(&st, 4101, 70);

	T_STR(host->name, "hostd");
	T_EQ(host->alive, STATE_YES);
	T_EQ(host->state, 'S');
	T_EQ(host->library, true);
	T_EQ(host->dump_us, 2000000);
	T_HAS(host->feed, "hostd-4101-1.ndjson");
	T_EQ(host->threads, 1);
	T_EQ(host->thread[0].wait, STATE_WAIT_FUTEX);
	T_EQ(host->thread[0].blocked_us, 8400000);
	T_STR(host->thread[0].captured, "peek");
	const struct state_stack *s = &st.stack[host->thread[0].stack];

	T_EQ(s->frames, 3);
	T_STR(s->end, "no-cfi");
	T_EQ(s->count, 1);
	T_STR(s->frame[0].module, "libc.so.6");
	T_STR(s->frame[0].path, "/usr/lib/libc.so.6");
	T_STR(s->frame[0].build_id, "9f3c");
	T_EQ(s->frame[0].offset, 0x10a0c6);
	T_OK(s->frame[0].exact && !s->frame[0].guessed);
	T_OK(!s->frame[1].module);
	T_OK(s->frame[2].guessed);

	/* a child that could not answer is known by what /proc said */
	const struct state_process *child = state_find_process(&st, 4110, 75);

	T_EQ(child->state, 'T');
	T_EQ(child->alive, STATE_YES);
	T_EQ(state_find_peer(hub, 1)->stopped, STATE_YES);
	T_OK(has_note(&st, "fonts (pid 4110): not dumped: stopped by a signal"));
	T_OK(has_note(&st, "search(3): no feed"));
	state_fini(&st);

	st = next(src);
	T_EQ(st.now_us, 2000002);
	T_EQ(st.single_moment, false);
	T_EQ(st.hub[0].seen_us, 2000002);
	T_EQ(st.processes, 2);
	T_EQ(st.process[0].threads, 1);
	state_fini(&st);
	no_more(src);
	source_close(src);
	feed_build_clean();
}

TEST(dumps_of_one_family_stand_together)
{
	struct feed_build b;

	feed_build_begin(&b, "hostd", 4101, 70);
	put_host_dump(&b, 1, 0x7b, 2000000, 7);
	feed_build_end(&b);
	feed_build_begin(&b, "search", 4112, 77);
	put_search_dump(&b, 1, 0x7b, 2050000, 7);
	feed_build_end(&b);
	struct source *src = opened();

	for (int look = 1; look <= 2; look++) {
		struct state st = next(src);

		T_EQ(st.now_us, 2050000 + look);
		T_EQ(st.hubs, 1);
		T_EQ(st.hub[0].peers, 2);
		T_EQ(st.hub[0].classes, 1);
		const struct state_peer *p = state_find_peer(&st.hub[0], 3);

		T_EQ(p->ring[HUB_RECV].bell, 0); /* known by search */
		T_EQ(p->ring[HUB_SEND].bell, 0); /* known by hostd, and the ring stood still */
		T_EQ(p->alive, STATE_YES);
		T_EQ(p->stopped, STATE_NO);
		T_EQ(st.process[p->process].pid, 4112);
		T_EQ(st.process[p->process].threads, 2);
		T_EQ(st.process[p->process].thread[0].wait, STATE_WAIT_POLL);
		T_STR(st.process[p->process].thread[0].wait_text, "epoll_wait on fd 7, no timeout");
		T_EQ(st.process[p->process].thread[1].wait, STATE_WAIT_NONE);
		T_EQ(st.stacks, 1); /* the same in both */
		T_EQ(st.stack[0].count, 2);
		T_EQ(state_find_process(&st, 4101, 70)->carried, false);
		state_fini(&st);
	}
	no_more(src);
	source_close(src);
	feed_build_clean();
}

TEST(what_an_earlier_dump_saw_is_carried)
{
	struct feed_build b;

	feed_build_begin(&b, "hostd", 4101, 70);
	put_host_dump(&b, 1, 0, 2000000, 7);
	feed_build_end(&b);
	feed_build_begin(&b, "search", 4112, 77);
	put_search_dump(&b, 1, 0, 9000000, 0);
	feed_build_end(&b);
	struct source *src = opened();
	struct state st = next(src);

	T_EQ(st.processes, 2); /* hostd, and what it says of fonts; search was not looked at yet */
	state_fini(&st);
	st = next(src);
	state_fini(&st);
	st = next(src);
	T_EQ(st.now_us, 9000001);
	T_EQ(state_find_process(&st, 4101, 70)->carried, true);
	T_EQ(state_find_process(&st, 4101, 70)->alive, STATE_UNKNOWN);
	T_EQ(state_find_process(&st, 4101, 70)->threads, 1);
	T_EQ(state_find_process(&st, 4112, 77)->carried, false);
	T_EQ(st.hubs, 1);
	T_EQ(st.hub[0].carried, true); /* its tables */
	T_EQ(st.hub[0].classes, 1);
	T_EQ(state_find_peer(&st.hub[0], 1)->carried, true);
	T_EQ(state_find_peer(&st.hub[0], 3)->carried, false);
	T_EQ(state_find_peer(&st.hub[0], 3)->ring[HUB_RECV].waiting, 0);
	state_fini(&st);
	st = next(src);
	state_fini(&st);
	no_more(src);
	source_close(src);
	feed_build_clean();
}

TEST(a_thread_with_the_same_mark_in_two_dumps_has_been_blocked_since_the_first)
{
	static const char *const marks[] = { "0x5", "0x5", "0x6", "0x5" };
	static const uint64_t blocked[] = { 0, 10000000, 0, 0 };
	struct feed_build b;

	feed_build_begin(&b, "search", 4112, 77);
	for (int d = 1; d <= 4; d++) {
		feed_build_dump(&b, d, 0, (uint64_t)d * 10000000);
		feed_build_line(&b, "{'v':1,'t':'thread','d':%d,'tid':7,'state':'S','captured':'peek',"
				    "'mono_us':%d,'mark':'%s'}",
				d, d * 10000000 + 5, marks[d - 1]);
		feed_build_done(&b, d, (uint64_t)d * 10000000 + 9);
	}
	feed_build_end(&b);
	struct source *src = opened();

	for (int d = 1; d <= 4; d++) {
		struct state st = next(src);

		T_EQ(st.process[0].thread[0].blocked_us, blocked[d - 1]);
		state_fini(&st);
	}
	source_close(src);
	feed_build_clean();
}

/* tid 4140 waits for a mutex that 4143 holds, the second one on it as well; 4144 ran on. */
static void put_mutex(struct feed_build *b, int d, uint64_t at, const char *owner_then)
{
	static const int tids[] = { 4140, 4141, 4144 };

	feed_build_dump(b, d, 0, at);
	feed_build_line(b, "{'v':1,'t':'module','m':0,'path':'/usr/bin/thumbs','build_id':'9f3c',"
			   "'bias':'0x1000','kind':'file'}");
	for (unsigned i = 0; i < 3; i++) {
		feed_build_line(b,
				"{'v':1,'t':'thread','d':%d,'tid':%d,'name':'t%d','state':'S','captured':"
				"'peek','moved':false,'sys':202,'args':['0x5040','0x80','0x2','0x0','0x0',"
				"'0x0'],'stack':null,'mono_us':%llu,'mark':'0x1%d'}",
				d, tids[i], tids[i], (unsigned long long)at + 10, i);
		feed_build_line(b,
				"{'v':1,'t':'word','d':%d,'look':1,'of':%d,'addr':'0x5040','value':'0x2'%s,"
				"'mono_us':%llu}",
				d, tids[i],
				i ? "" : ",'in':[0,'0x4040'],'at':'0x5040','bytes':"
					 "'02000000010000002f10000001000000'",
				(unsigned long long)at + 11);
	}
	feed_build_line(b,
			"{'v':1,'t':'word','d':%d,'look':2,'of':4140,'addr':'0x5040','value':'0x2','at':"
			"'0x5040','bytes':'0200000001000000%s01000000','still':true,'mono_us':%llu,"
			"'holders':[{'tid':4143,'pid':4111,'state':'X','name':''}]}",
			d, owner_then, (unsigned long long)at + 30);
	feed_build_line(b,
			"{'v':1,'t':'word','d':%d,'look':2,'of':4141,'addr':'0x5040','value':'0x2','still':"
			"true,'mono_us':%llu}",
			d, (unsigned long long)at + 31);
	feed_build_line(b, "{'v':1,'t':'word','d':%d,'look':2,'of':4144,'still':false,'mono_us':1}", d);
	feed_build_done(b, d, at + 40);
}

TEST(what_threads_sleep_on_was_seen_twice)
{
	struct feed_build b;
	struct source *src;

	feed_build_begin(&b, "thumbs", 4111, 77);
	put_mutex(&b, 1, 2000000, "2f100000");
	put_mutex(&b, 2, 3000000, "30100000");
	feed_build_end(&b);
	src = opened();
	struct state st = next(src);
	const struct state_thread *t = st.process[0].thread;

	T_OK(st.process[0].all_threads);
	for (unsigned i = 0; i < 2; i++) {
		T_EQ(t[i].lock->kind, STATE_LOCK_MUTEX);
		T_EQ(t[i].lock->addr, 0x5040);
		T_EQ(t[i].lock->owner_tid, 4143);
		T_EQ(t[i].lock->owner_alive, STATE_NO);
		T_EQ(t[i].lock->looks, 2);
		T_EQ(t[i].lock->from_us, 2000010);
		T_EQ(t[i].lock->to_us, 2000030 + i);
		T_STR(t[i].lock->path, "/usr/bin/thumbs");
		T_EQ(t[i].lock->offset, 0x4040);
	}
	T_EQ(t[2].lock->looks, 1);
	T_OK(t[2].lock->moved);
	state_fini(&st);
	st = next(src);
	/* asleep since the dump before, on a lock whose owner changed meanwhile */
	T_EQ(st.process[0].thread[0].lock->from_us, 2000010);
	T_EQ(st.process[0].thread[0].lock->owner_tid, 0);
	state_fini(&st);
	source_close(src);
	feed_build_clean();
}

TEST(feeds_of_another_boot_are_moved_by_the_wall_clock)
{
	struct feed_build b;

	feed_build_begin(&b, "hostd", 4101, 70);
	put_host_dump(&b, 1, 0, 2000000, 7);
	feed_build_end(&b);
	feed_build_begin_boot(&b, "other", 4112, 77, "ffffffff-89ab-cdef-0123-456789abcdef", 5000000);
	put_search_dump(&b, 1, 0, 1500000, 7);
	feed_build_end(&b);
	struct source *src = opened();
	struct state st = next(src);

	T_EQ(st.now_us, 2000001);
	state_fini(&st);
	st = next(src);
	state_fini(&st);
	st = next(src);
	T_EQ(st.now_us, 6500001);
	T_EQ(st.real_offset_us, 1700000000000000);
	T_EQ(state_find_peer(&st.hub[0], 3)->flag_us, 500000 + 5000000 + 700000);
	state_fini(&st);
	source_close(src);
	feed_build_clean();
}

TEST(states_outside_of_the_time_asked_for_are_left_out)
{
	struct feed_build b;

	feed_build_begin(&b, "search", 4112, 77);
	for (int d = 1; d <= 3; d++)
		put_search_dump(&b, d, 0, (uint64_t)d * 10000000, 7);
	feed_build_end(&b);
	const struct source_options options = {
		.since_us = 1700000015000000,
		.until_us = 1700000025000000,
	};
	struct source *src = opened_with(&options);
	struct state st = next(src);

	T_EQ(st.now_us, 20000001);
	state_fini(&st);
	st = next(src);
	T_EQ(st.now_us, 20000002);
	state_fini(&st);
	no_more(src);
	source_close(src);
	feed_build_clean();
}

TEST(feeds_without_a_dump_give_one_state_that_says_so)
{
	struct feed_build b;

	feed_build_begin(&b, "search", 4112, 77);
	feed_build_end(&b);
	struct source *src = opened();
	struct state st = next(src);

	T_EQ(st.inputs, 1);
	T_OK(st.input[0].complete);
	T_EQ(st.now_us, 1000000);
	T_OK(has_note(&st, "search (pid 4112): no dump in its feed"));
	state_fini(&st);
	no_more(src);
	source_close(src);
	feed_build_clean();
}

TEST(a_dump_that_ran_out_of_time_says_so)
{
	struct feed_build b;

	feed_build_begin(&b, "search", 4112, 77);
	feed_build_dump(&b, 1, 0, 2000000);
	feed_build_line(&b, "{'v':1,'t':'done','d':1,'threads':12,'captured':9,'timeout':true}");
	feed_build_end(&b);
	struct source *src = opened();
	struct state st = next(src);

	T_OK(has_note(&st, "ran out of time: 9 of 12 threads have a stack"));
	T_EQ(st.now_us, 2000000);
	state_fini(&st);
	no_more(src);
	source_close(src);
	feed_build_clean();
}

TEST(records_that_make_no_sense_cost_themselves_only)
{
	struct feed_build b;

	feed_build_begin(&b, "search", 4112, 77);
	feed_build_dump(&b, 1, 0, 2000000);
	feed_build_look(&b, 1, 1, 2000001);
	feed_build_line(&b, "{'v':1,'t':'peer','d':1,'look':1,'h':5,'peer':3}"); /* of no hub */
	feed_build_line(&b, "{'v':1,'t':'ring','d':1,'look':1,'h':0,'peer':3,'dir':'recv'}");
	feed_build_hub(&b, 1, 1, "peer", 3);
	feed_build_line(&b, "{'v':1,'t':'ring','d':1,'look':1,'h':0,'peer':3,'dir':'recv'}"); /* of no peer */
	feed_build_peer(&b, 1, 1, 3, "search", 4112, 77);
	feed_build_line(&b, "{'v':1,'t':'ring','d':1,'look':1,'h':0,'peer':3,'dir':'up'}");
	feed_build_line(&b, "{'v':1,'t':'ring','d':1,'look':1,'h':0,'peer':3,'dir':'recv','head':9,"
			    "'tail':9,'waiting':7000,'capacity':256,'oldest':{'time_ms':1},'newest':5}");
	feed_build_line(&b, "{'v':1,'t':'class','d':1,'look':1,'h':0,'owners':[7,{'peer':1},null]}");
	feed_build_line(&b, "{'v':1,'t':'slot','d':1,'look':1,'h':0,'state':'lost'}");
	feed_build_line(&b, "{'v':1,'t':'call','d':1,'look':1,'h':0,'state':'free'}");
	feed_build_line(&b, "{'v':1,'t':'stack','s':0,'frames':[7,[],[99,'0x1'],[-5,'0x1'],['0x1',3]]}");
	feed_build_line(&b, "{'v':1,'t':'stack','s':99999999999,'frames':[]}");
	feed_build_line(&b, "{'v':1,'t':'stack','s':1}");
	feed_build_line(&b, "{'v':1,'t':'thread','d':1,'tid':1,'stack':0,'args':7,'state':'','sys':99999}");
	feed_build_line(&b, "{'v':1,'t':'thread','d':1,'tid':2,'stack':1,'captured':'magic'}");
	feed_build_line(&b, "{'v':1,'t':'thread','d':1,'tid':3,'stack':77}");
	feed_build_line(&b, "{'v':1,'t':'child','d':1,'pid':-3}");
	feed_build_line(&b, "{'v':1,'t':'novelty','d':1}");
	feed_build_line(&b, "{'v':1,'t':'thread','d':2,'tid':4}"); /* of another dump */
	feed_build_done(&b, 1, 2000010);
	feed_build_end(&b);
	struct source *src = opened();
	struct state st = next(src);

	T_EQ(st.hubs, 1);
	T_EQ(st.hub[0].peers, 1);
	T_HAS(st.hub[0].peer[0].ring[HUB_RECV].damage, "7000 messages waiting in a ring of 256 cells");
	T_EQ(st.hub[0].peer[0].ring[HUB_RECV].waiting, 0);
	T_EQ(st.hub[0].peer[0].ring[HUB_RECV].oldest.is_there, false);
	T_EQ(st.hub[0].klass[0].owners, 0);
	T_EQ(st.hub[0].slots, 0);
	T_EQ(st.hub[0].calls, 0);
	T_EQ(st.processes, 1);
	T_EQ(st.process[0].threads, 3);
	T_EQ(st.stack[st.process[0].thread[0].stack].frames, 5);
	T_EQ(st.process[0].thread[2].stack, -1);
	state_fini(&st);
	no_more(src);
	source_close(src);
	feed_build_clean();
}

/* Whole dumps, and the last one with what it had, whatever the place of the cut. */
TEST(a_feed_cut_at_any_byte_is_told_up_to_the_cut)
{
	struct feed_build b;
	static char all[65536];

	feed_build_begin(&b, "search", 4112, 77);
	put_search_dump(&b, 1, 0, 2000000, 7);
	put_search_dump(&b, 2, 0, 3000000, 7);
	feed_build_end(&b);
	int fd = open(b.path, O_RDONLY | O_CLOEXEC);
	const ssize_t size = read(fd, all, sizeof(all));
	const size_t head = (size_t)(strchr(all, '\n') + 1 - all);
	size_t states_before = 0;

	close(fd);
	T_OK(size > 0 && size < (ssize_t)sizeof(all));
	for (size_t cut = (size_t)size; cut > 0; cut--) {
		T_EQ(truncate(b.path, (off_t)cut), 0);
		struct source *src = opened();
		struct state st;
		struct err err;
		size_t states = 0;

		while (source_next(src, &st, &err) == 1) {
			states++;
			T_EQ(st.inputs, 1);
			T_EQ(st.input[0].complete, all[cut - 1] == '\n');
			if (!st.input[0].complete && cut > head)
				T_EQ(strncmp(st.input[0].note, "the last line is cut off", 24), 0);
			if (states == 3 && cut < (size_t)size)
				T_OK(has_note(&st, "its dump is cut off"));
			state_fini(&st);
		}
		T_OK(states >= 1 && states <= 4);
		T_OK(cut == (size_t)size || states <= states_before);
		states_before = states;
		source_close(src);
	}
	T_EQ(states_before, 1);
	feed_build_clean();
}

TEST(what_is_no_feed_in_a_directory_of_feeds_is_noted_and_passed_over)
{
	struct feed_build b;
	char path[300];

	feed_build_begin(&b, "search", 4112, 77);
	put_search_dump(&b, 1, 0, 2000000, 7);
	feed_build_end(&b);
	snprintf(path, sizeof(path), "%s/junk.ndjson", feed_build_dir());
	FILE *f = fopen(path, "w");

	fputs("this is no feed\n", f);
	fclose(f);
	struct source *src = opened();
	struct state st = next(src);

	T_EQ(st.inputs, 1);
	T_OK(has_note(&st, "junk.ndjson: not a feed"));
	state_fini(&st);
	source_close(src);
	feed_build_clean();
}

TEST(the_address_of_a_connect_is_told_in_words)
{
	struct feed_build b;

	feed_build_begin(&b, "search", 4112, 77);
	feed_build_dump(&b, 1, 0x7b, 2000000);
	/* AF_UNIX, abstract "ab" */
	feed_build_line(&b, "{'v':1,'t':'thread','d':1,'tid':4112,'name':'search','state':'S',"
			    "'captured':'peek','sys':42,'args':['0x5','0x7f00','0x5','0x0','0x0',"
			    "'0x0'],'on':'socket:[7]','to':'0100006162','stack':null}");
	feed_build_done(&b, 1, 2000010);
	feed_build_end(&b);
	struct source *src = opened();
	struct state st = next(src);

	T_STR(state_find_thread(&st.process[0], 4112)->wait_text, "connect to @ab (fd 5)");
	state_fini(&st);
	source_close(src);
	feed_build_clean();
}

static void put_host_of_stopped(struct feed_build *b, int d, uint64_t family, uint64_t at,
				const char *letter)
{
	feed_build_dump(b, d, family, at);
	for (int look = 1; look <= 2; look++) {
		feed_build_look(b, d, look, at + (uint64_t)look);
		feed_build_hub(b, d, look, "host", 0);
		feed_build_peer(b, d, look, 3, "search", 4112, 77);
		feed_build_ring(b, d, look, 3, "recv", 5, 5, 0);
	}
	feed_build_line(b, "{'v':1,'t':'child','d':%d,'pid':4112,'start':77,'name':'search',"
			   "'state':'%s','told':true,'reason':null}",
			d, letter);
	feed_build_done(b, d, at + 10);
}

TEST(a_process_that_was_stopped_when_it_was_asked_is_told_as_that_and_its_answer_later)
{
	struct feed_build b;

	feed_build_begin(&b, "hostd", 4101, 70);
	put_host_of_stopped(&b, 1, 0x71, 2000000, "S");
	put_host_of_stopped(&b, 2, 0x72, 10000000, "T");
	feed_build_end(&b);
	feed_build_begin(&b, "search", 4112, 77);
	put_search_dump(&b, 1, 0x71, 2000000, 0);
	put_search_dump(&b, 2, 0x72, 13000000, 0);
	feed_build_end(&b);
	struct source *src = opened();

	for (int i = 0; i < 6; i++) {
		static const char states[] = "SSTTSS";
		static const uint64_t moments[] = { 2000001, 2000002, 10000001, 10000002, 13000001,
						    13000002 };
		struct state st = next(src);
		const struct state_process *p = state_find_process(&st, 4112, 77);

		T_EQ(st.now_us, moments[i]);
		T_EQ(p->state, states[i]);
		T_EQ(p->carried, false);
		T_EQ(state_find_peer(&st.hub[0], 3)->stopped, states[i] == 'T');
		state_fini(&st);
	}
	no_more(src);
	source_close(src);
	feed_build_clean();
}
