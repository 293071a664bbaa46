#include <stdlib.h>
#include <string.h>

#include "lib/report/report.h"
#include "tests/rule_test.h"

/* What UX shows: a lost bell at search, slots lost with export, a busy ring. */
static struct state *demo(double at)
{
	const char *const sleeps[] = { "epoll_wait", "hub_poll", "search_loop", NULL };
	struct state *st = build_state(at);
	struct state_hub *hub = build_hub(st, 4);
	struct state_class *k = build_class(st, hub, 65536, 64);
	struct state_peer *search = build_peer(hub, 3), *export = build_peer(hub, 4);
	struct state_input *in = state_add_input(st);

	build_class(st, hub, 1024, 1024);
	*in = (struct state_input){ .path = hub->path, .type = "hub", .complete = true };
	for (int i = 0; i < 4; i++) {
		in = state_add_input(st);
		*in = (struct state_input){ .path = "feeds/x.ndjson", .type = "feed", .complete = true };
	}
	build_lost_bell(st, search, HUB_RECV, 7.4 + at);
	build_peer(hub, 1)->ring[HUB_SEND].tail += (uint64_t)(at * 1000);
	build_waiting(st, build_peer(hub, 1), HUB_SEND, 40, 0.1);
	build_peer(hub, 1)->host_flag = 0;
	build_peer(hub, 1)->ring[HUB_SEND].bell = 1;
	build_host_process(st)->thread[0].state = 'R';
	export->state = HUB_PEER_DEAD;
	export->alive = STATE_NO;
	export->exit_status = 9;
	export->died_us = build_ago(st->now_us, 40 + at);
	build_owner(st, hub, k, build_peer(hub, 1), HUB_TO_PEER, HUB_SLOT_HELD, 22, 0.4);
	build_owner(st, hub, k, export, HUB_TO_PEER, HUB_SLOT_HELD, 4, 40 + at);
	build_owner(st, hub, k, export, HUB_TO_HOST, HUB_SLOT_IN_FLIGHT, 8, 40 + at);
	build_call(st, hub, 0, 1, 900, 0.9);
	build_process(st, export)->alive = STATE_NO;
	build_process(st, export)->threads = 0;
	build_loop(st, search)->stack = build_stack(st, sleeps);
	state_join(st);
	state_note_unseen(st, "export: no feed (library not loaded), so its last stack is unknown.");
	return st;
}

static char *text_of(unsigned columns, bool verbose)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	const struct paper p = { .out = out, .columns = columns, .verbose = verbose };
	struct state *a = demo(0), *b = demo(1);
	struct judge *judge = judge_create(NULL);

	setenv("TZ", "UTC", 1);
	T_EQ(judge_look(judge, a), 0);
	T_EQ(judge_look(judge, b), 0);
	struct report r = { .st = b, .findings = judge_findings(judge), .from_us = a->now_us,
			    .took_us = 300000 };

	T_EQ(report_begin(&r), 0);
	report_text(&p, &r);
	report_end(&r);
	fclose(out);
	judge_destroy(judge);
	build_free(a);
	build_free(b);
	return text;
}

TEST(the_text_report_looks_as_it_is_documented)
{
	char *text = text_of(100, false);

	T_STR(text,
		"VERDICT  search (peer 3, pid 4003) hangs: asleep for 8.4 s with 7 messages waiting; nobody rang its\n"
		"         bell. Also: 768K of slots lost with export.\n"
		"INPUT    demo.hub (256M, layout 1, written by 0.1.0) + 4 feeds   13:00:00 to 13:00:01   complete\n"
		"         0.3 s\n"
		"\n"
		"FINDINGS  2 critical, 1 info\n"
		"!! F1 missed-wakeup  search(3) recv ring  since 12:59:52 (8.4 s)   confirmed\n"
		"     evidence  7 messages waiting (written 1041, read 1034, capacity 256), waiting flag 1, bell 0\n"
		"               bytes, tid 4003 in epoll_wait (stack S1), unchanged in 2 samples; last bell 21 s\n"
		"               before this look\n"
		"     means     The producer filled the ring but did not wake the sleeping consumer.\n"
		"     next      in hostd, where messages to search are published: is the waiting flag tested after\n"
		"               the publication, with a full fence between?\n"
		"               sigdump dump -p 4000   (what hostd does meanwhile)\n"
		"               shminspect --explain missed-wakeup\n"
		"!! F2 slots-leaked   export(4)            since 12:59:20 (41 s)    confirmed\n"
		"     evidence  12 slots of 64K (768K of 4.0M, 18%): 4 held, 8 in flight, 0 allocated; owner pid 4004\n"
		"               ended 41 s ago; seen in 2 samples\n"
		"     means     Slots belong to a dead process: nobody will ever give them back.\n"
		"     next      hostd does not take back what a dead peer owned: is the peer's death noticed, and its\n"
		"               sweep run?\n"
		"               restarting the host frees all of them\n"
		"               shminspect --explain slots-leaked\n"
		" i F3 peer-dead      export(4)            since 12:59:20 (41 s)    confirmed\n"
		"     evidence  killed by signal 9 (SIGKILL); started 1 time\n"
		"     means     The process has ended; its host goes on without it.\n"
		"     next      coredumpctl, or its feed: a last dump is written on fatal signals\n"
		"               shminspect --explain peer-dead\n"
		"\n"
		"RINGS     peer          ring  waiting   cap  written     read  flag  bell   oldest  state\n"
		"!!        search(3)     recv        7   256     1041     1034     1     0    8.4 s  consumer asleep\n"
		"          ingest(1)     send       40   256     1074     1034     0     1    0.1 s  ok\n"
		"          (6 rings empty: -v)\n"
		"SLOTS     class  total   free  alloc  flight   held  dead   oldest  owners (most first)\n"
		"!!        64K       64     30      0       8     26    12   41.0 s  ingest(1) 22, export(4) X12\n"
		"          (1 class unused: -v)\n"
		"CALLS     1 of 8192 pending, oldest 0.9 s        PROCESSES  5 (1 dead)        THREADS  4 in 1 stack\n"
		"STACKS    S1  1 thread    search(3) 4003   epoll_wait, 20.0 s\n"
		"                #0  epoll_wait             libc.so.6\n"
		"                #1  hub_poll               main.c:10\n"
		"                #2  search_loop            main.c:20\n"
		"NOT SEEN  export: no feed (library not loaded), so its last stack is unknown.\n");
	free(text);
}

static unsigned widest(const char *text)
{
	unsigned widest = 0;

	for (; *text; text += strcspn(text, "\n") + 1) {
		const unsigned width = (unsigned)strcspn(text, "\n");

		widest = width > widest ? width : widest;
	}
	return widest;
}

TEST(a_hundred_columns_are_enough_and_sentences_wrap_at_fewer)
{
	char *wide = text_of(100, true), *narrow = text_of(60, false);

	T_OK(widest(wide) <= 100);
	T_HAS(narrow, "VERDICT  search (peer 3, pid 4003) hangs: asleep for 8.4 s\n"
		      "         with 7 messages waiting; nobody rang its bell.\n");
	T_HAS(narrow, "     evidence  7 messages waiting (written 1041, read 1034,\n"
		      "               capacity 256), waiting flag 1, bell 0 bytes,\n");
	free(wide);
	free(narrow);
}

TEST(verbose_shows_every_ring_class_process_and_threshold)
{
	char *text = text_of(100, true);

	T_HAS(text, "export(4)     send        0   256     1034     1034     1     0        -  ok\n");
	T_HAS(text, "1K      1024   1024      0       0      0     0        -  -\n");
	T_HAS(text, "dwell     2.0 s, in 2 samples\n");
	T_HAS(text, "hostd             4000  S      1 threads");
	free(text);
}

TEST(an_explanation_has_all_its_parts)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	const struct paper p = { .out = out, .columns = 80 };

	report_explain(&p, rules_find("missed-wakeup"));
	fclose(out);
	T_HAS(text, "missed-wakeup  (critical)\nwhat it is     The consumer of a ring sleeps");
	T_HAS(text, "\ndetected by    Messages wait,");
	T_HAS(text, "\nusual causes   ");
	T_HAS(text, "\nhow to fix     ");
	T_HAS(text, "\nmistaken for   ");
	T_HAS(text, "\nconfirmed      2.0 s\n");
	T_HAS(text, "\nseen in        the running system, feeds, a hub file, a core with its hub file\n");
	T_OK(widest(text) <= 80);
	free(text);
}
