#include <stdlib.h>
#include <string.h>

#include "lib/report/report.h"
#include "tests/rule_test.h"

/* A peer with a blocked thread, a pool of workers, one thread that did not answer. */
static struct state *pool(void)
{
	const char *const waits[] = { "futex_wait", "queue_pop", "worker", NULL };
	const char *const locks[] = { "__lll_lock_wait", "index_flush", "flush_main", NULL };
	const char *const sleeps[] = { "epoll_wait", "hub_poll", "search_loop", NULL };
	struct state *st = build_state(0);
	struct state_hub *hub = build_hub(st, 4);
	struct state_peer *search = build_peer(hub, 3);
	struct state_process *p = build_process(st, search);
	struct state_class *k = build_class(st, hub, 65536, 64);
	const int stack[] = { build_stack(st, sleeps), build_stack(st, waits), build_stack(st, locks) };

	build_owner(st, hub, k, search, HUB_TO_PEER, HUB_SLOT_HELD, 11, 2);
	build_owner(st, hub, k, search, HUB_TO_HOST, HUB_SLOT_HELD, 3, 2); /* in the host's hands */
	build_lost_bell(st, search, HUB_RECV, 3);
	p->library = true;
	p->rss_bytes = 97 << 20;
	p->fds = 19;
	p->feed = "/tmp/feeds/search-4003-9f3c.ndjson";
	p->thread[0].stack = stack[0];
	for (int i = 0; i < 11; i++) {
		struct state_thread *t = state_add_thread(st, p);

		t->tid = 4100 + i;
		t->name = arena_printf(&st->arena, "worker-%d", i);
		t->state = 'S';
		t->captured = "peek";
		t->wait = STATE_WAIT_FUTEX;
		t->wait_text = "futex_wait";
		t->stack = i < 9 ? stack[1] : i == 9 ? stack[2] : -1;
	}
	p->thread[10].name = "flush";
	p->thread[10].wait_text = "futex 0x55d0c0a8";
	p->thread[10].blocked_us = 6000000;
	p->thread[11].state = 'D';
	p->thread[11].reason = "in nfs4_wait";
	p->thread[11].wait = STATE_WAIT_NONE;
	p->thread[11].name = "save";
	state_join(st);
	return st;
}

static char *dump_of(struct state *st, int32_t pid)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	const struct paper p = { .out = out, .columns = 100 };
	struct judge *judge = judge_create(NULL);

	setenv("TZ", "UTC", 1);
	T_EQ(judge_look(judge, st), 0);
	struct report r = { .st = st, .findings = judge_findings(judge) };

	T_EQ(report_begin(&r), 0);
	report_dump(&p, &r, state_find_process(st, pid, 0));
	report_end(&r);
	fclose(out);
	judge_destroy(judge);
	build_free(st);
	return text;
}

TEST(a_dump_groups_stacks_blocked_first_and_tells_who_did_not_answer)
{
	char *text = dump_of(pool(), 4003);

	T_STR(text,
		"sigdump " SHMSCOPE_VERSION "   search(3) pid 4003   2026-11-21 13:00:00.000   12 threads, 3 stacks   0 of 12 disturbed\n"
		" ? missed-wakeup (suspected)\n"
		"     search (peer 3, pid 4003) hangs: asleep for 3.0 s with 7 messages waiting; nobody rang its bell\n"
		"     next  in hostd, where messages to search are published: is the waiting flag tested after the\n"
		"           publication, with a full fence between?\n"
		"           sigdump dump -p 4000   (what hostd does meanwhile)\n"
		"STACKS    blocked first, then running, then idle; 11 of 12 threads answered\n"
		"S1  1 thread   4109 \"flush\"   blocked 6.0 s in futex 0x55d0c0a8\n"
		"      #0  __lll_lock_wait        libc.so.6\n"
		"      #1  index_flush            main.c:10\n"
		"      #2  flush_main             main.c:20\n"
		"S2  9 threads  4100..4108 \"worker-0\"..\"worker-8\"   idle in futex_wait\n"
		"      #0  futex_wait             libc.so.6\n"
		"      #1  queue_pop              main.c:10\n"
		"      #2  worker                 main.c:20\n"
		"S3  1 thread   4003 \"search\"   idle 20.0 s in epoll_wait\n"
		"      #0  epoll_wait             libc.so.6\n"
		"      #1  hub_poll               main.c:10\n"
		"      #2  search_loop            main.c:20\n"
		"-   1 thread   4110 \"save\"   no answer (state D): in nfs4_wait\n"
		"RINGS     recv waiting 7/256 (written 1041, read 1034) bell 0, flag 1   |   send waiting 0/256 bell 0, flag 1\n"
		"SLOTS     held by this process: 64K x 11   |   CALLS 0 of 8192\n"
		"GAUGES    rss 97M  fds 19  threads 12   |   feed /tmp/feeds/search-4003-9f3c.ndjson\n");
	free(text);
}

TEST(threads_that_there_was_no_room_for_are_counted)
{
	struct state *st = pool();

	((struct state_process *)state_find_process(st, 4003, 0))->left_out = 7;
	char *text = dump_of(st, 4003);

	T_HAS(text, "19 threads, 3 stacks   0 of 19 disturbed");
	T_HAS(text, "11 of 19 threads answered");
	T_HAS(text, "-   7 threads   not looked at: there are more than room to list them\n");
	free(text);
}

TEST(a_dump_of_the_host_shows_the_rings_that_are_not_empty)
{
	char *text = dump_of(pool(), BUILD_HOST_PID);

	T_HAS(text, "   hostd (host) pid 4000   2026-11-21 13:00:00.000   1 thread, 0 stacks   0 of 1 "
		    "disturbed\n          looked at from outside, not by a dumper of its own\n");
	T_HAS(text, "RINGS     search(3) recv waiting 7/256 (written 1041, read 1034) bell 0, flag 1\n"
		    "          7 rings empty\n");
	free(text);
}

/* Threads of one process, each with a stack of its own. */
static char *summary_of(const char *const doing[], size_t n)
{
	const char *const sorts[] = { "memcpy", "sort_loop", NULL };
	struct state *st = build_state(0);
	struct state_process *p = state_add_process(st);

	p->pid = 4200;
	p->name = "tool";
	for (size_t i = 0; i < n; i++) {
		const char *const own[] = { sorts[0], doing[i], sorts[1], NULL };
		const int stack = build_stack(st, own);
		struct state_thread *t = state_add_thread(st, p);

		t->tid = 4200 + (int)i;
		t->stack = stack;
		t->state = doing[i][0] == 'r' ? 'R' : 'S';
		t->captured = "peek";
		t->wait = doing[i][0] == 'b' ? STATE_WAIT_READ : doing[i][0] == 'i' ? STATE_WAIT_POLL : STATE_WAIT_NONE;
		t->wait_text = doing[i][0] == 'b' ? "recv from tcp 10.0.0.5:443 (fd 4)"
			       : doing[i][0] == 'i' ? "epoll_wait on fd 3, no timeout" : NULL;
	}
	state_join(st);
	return dump_of(st, 4200);
}

TEST(without_a_finding_one_sentence_says_what_everybody_is_about)
{
	const char *const mixed[] = { "idle", "idle_too", "blocked", "running" };
	const char *const runs[] = { "idle", "running" };
	const char *const idle[] = { "idle" };
	char *text = summary_of(mixed, 4);

	T_HAS(text, "\nSUMMARY   no finding; 1 thread blocked in recv from tcp 10.0.0.5:443 (fd 4) (S1), 1 "
		    "running, 2 idle\nSTACKS");
	free(text);
	text = summary_of(runs, 2);
	T_HAS(text, "\nSUMMARY   no finding; 1 thread running in running (S1), 1 idle\nSTACKS");
	free(text);
	text = summary_of(idle, 1);
	T_HAS(text, "\nSUMMARY   no finding; 1 thread idle in epoll_wait on fd 3, no timeout (S1), 0 running\nSTACKS");
	free(text);
}

/* thumbs' two threads, as in the manual. */
static struct state *deadlocked(void)
{
	struct state *st = build_state(0);
	struct state_process *p = build_process(st, build_peer(build_hub(st, 4), 2));

	build_thread(st, p, 4140, "flush");
	build_thread(st, p, 4143, "query-1");
	build_sleep(st, p, 4140, STATE_LOCK_MUTEX, 0x55d0c0a8, "index_lock", 4143, 6);
	build_sleep(st, p, 4143, STATE_LOCK_MUTEX, 0x55d0c0e0, "cache_lock", 4140, 7);
	return st;
}

TEST(a_deadlock_stands_first_with_every_wait_and_the_next_step)
{
	char *text = dump_of(deadlocked(), 4002);

	T_HAS(text,
	      "0 of 3 disturbed\n"
	      "          looked at from outside, not by a dumper of its own\n"
	      "DEADLOCK  2 threads wait for each other since at least 6.0 s\n"
	      "  tid 4140 \"flush\"     waits for mutex 0x55d0c0a8 (index_lock)   held by tid 4143 \"query-1\"\n"
	      "  tid 4143 \"query-1\"   waits for mutex 0x55d0c0e0 (cache_lock)   held by tid 4140 \"flush\"\n"
	      "  next  the two take index_lock and cache_lock in different order\n");
	free(text);
	text = dump_of(deadlocked(), 4003);
	T_OK(!strstr(text, "DEADLOCK"));
	free(text);
}

TEST(threads_at_one_place_that_wait_for_different_locks_are_told_apart)
{
	const char *const locks[] = { "__lll_lock_wait", "caller_main", NULL };
	struct state *st = build_state(0);
	struct state_process *p = state_add_process(st);
	const int stack = build_stack(st, locks);

	p->pid = 4200;
	p->name = "tool";
	for (int i = 0; i < 2; i++) {
		struct state_thread *t = state_add_thread(st, p);

		t->tid = 4201 + i;
		t->name = i ? "ask-2" : "ask-1";
		t->stack = stack;
		t->state = 'S';
		t->captured = "peek";
		t->wait = STATE_WAIT_LOCK;
		t->wait_text = i ? "mutex B held by tid 4201" : "mutex A held by tid 4202";
	}
	state_join(st);
	char *text = dump_of(st, 4200);
	T_HAS(text, "S1  2 threads  4201..4202 \"ask-1\"..\"ask-2\"   blocked, not all by the same:\n"
		    "      tid 4201 \"ask-1\"  in mutex A held by tid 4202\n"
		    "      tid 4202 \"ask-2\"  in mutex B held by tid 4201\n"
		    "      #0  __lll_lock_wait");
	free(text);
}
