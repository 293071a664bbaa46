#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/rule_test.h"

static void hangs(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)hub;
	build_lost_bell(st, p, HUB_RECV, 3 + at);
}

static void young(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)hub, (void)at;
	build_lost_bell(st, p, HUB_RECV, 0.6);
}

static void healthy(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)st, (void)hub, (void)p, (void)at;
}

static void later_episode(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)hub;
	p->ring[HUB_RECV].tail += 100; /* it woke up and went on */
	build_lost_bell(st, p, HUB_RECV, at - 4.5);
}

static void look(struct judge *judge, struct state *st)
{
	T_EQ(judge_look(judge, st), 0);
	build_free(st);
}

static enum finding_state state_of(const struct judge *judge)
{
	const struct findings *f = judge_findings(judge);

	T_EQ(f->n, 1);
	return f->list[0]->state;
}

/* ---- over time ------------------------------------------------------------------------------ */

TEST(before_the_first_look_there_is_a_verdict_and_no_finding)
{
	struct judge *judge = judge_create(NULL);

	T_EQ(judge_findings(judge)->n, 0);
	T_STR(judge_findings(judge)->verdict, "nothing was looked at");
	judge_destroy(judge);
	judge_destroy(NULL);
}

TEST(a_suspicion_that_passes_is_forgotten)
{
	struct judge *judge = judge_create(NULL);

	look(judge, rule_state(0, young));
	T_EQ(state_of(judge), FINDING_SUSPECTED);
	look(judge, rule_state(1, healthy));
	T_EQ(judge_findings(judge)->n, 0);
	judge_destroy(judge);
}

static void of_this_moment(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	(void)hub, (void)at;
	build_lost_bell(st, p, HUB_RECV, 0.1);
}

TEST(what_any_busy_moment_looks_like_is_not_listed)
{
	struct judge *judge = judge_create(NULL);

	look(judge, rule_state(0, of_this_moment));
	T_EQ(judge_findings(judge)->n, 0);
	judge_destroy(judge);
}

TEST(what_was_confirmed_is_cleared_and_stays_listed_for_ten_minutes)
{
	struct judge *judge = judge_create(NULL);

	look(judge, rule_state(0, hangs));
	look(judge, rule_state(1, hangs));
	T_EQ(state_of(judge), FINDING_CONFIRMED);
	look(judge, rule_state(2, healthy));
	T_EQ(state_of(judge), FINDING_CLEARED);
	const struct finding *f = judge_findings(judge)->list[0];

	T_EQ(f->held_us, 4000000);
	T_EQ(f->longest_us, 4000000);
	T_EQ(f->cleared_us, BUILD_NOW_US + 2000000);
	T_EQ(f->times, 1);
	T_EQ(judge_findings(judge)->confirmed[SEVERITY_CRITICAL], 0);
	T_STR(judge_findings(judge)->verdict, "no findings in 2 s of 17 processes");
	look(judge, rule_state(599, healthy));
	T_EQ(state_of(judge), FINDING_CLEARED);
	look(judge, rule_state(603, healthy));
	T_EQ(judge_findings(judge)->n, 0);
	judge_destroy(judge);
}

TEST(another_episode_shows_as_cleared_until_it_is_confirmed_too)
{
	struct judge *judge = judge_create(NULL);

	look(judge, rule_state(0, hangs));
	look(judge, rule_state(1, hangs));
	look(judge, rule_state(5, later_episode));
	T_EQ(state_of(judge), FINDING_CLEARED);
	T_HAS(judge_findings(judge)->list[0]->sentence, "asleep for 4.0 s");
	look(judge, rule_state(6, later_episode));
	T_EQ(state_of(judge), FINDING_CLEARED);
	look(judge, rule_state(7, later_episode));
	T_EQ(state_of(judge), FINDING_CONFIRMED);
	T_EQ(judge_findings(judge)->list[0]->times, 2);
	T_HAS(judge_findings(judge)->list[0]->sentence, "asleep for 2.5 s");
	T_EQ(judge_findings(judge)->list[0]->longest_us, 4000000);
	judge_destroy(judge);
}

static void carried(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	hangs(st, hub, p, at);
	for (size_t i = 0; i < hub->peers; i++)
		hub->peer[i].carried = true;
	hub->carried = true;
}

TEST(what_was_not_looked_at_stays_as_it_was)
{
	struct judge *judge = judge_create(NULL);

	look(judge, rule_state(0, hangs));
	look(judge, rule_state(1, carried));
	T_EQ(state_of(judge), FINDING_SUSPECTED);
	look(judge, rule_state(2, hangs));
	T_EQ(state_of(judge), FINDING_CONFIRMED);
	struct state *elsewhere = build_state(3); /* of another family altogether */

	elsewhere->sources = STATE_FEED;
	look(judge, elsewhere);
	T_EQ(state_of(judge), FINDING_CONFIRMED);
	look(judge, build_state(4)); /* a live look sees all there is: the hub is gone */
	T_EQ(state_of(judge), FINDING_CLEARED);
	judge_destroy(judge);
}

static void blocked(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	const char *const frames[] = { "read", "load_page", "on_page", "main", NULL };

	(void)hub;
	build_blocked(st, p, 3 + at);
	build_loop(st, p)->stack = build_stack(st, frames);
	state_join(st);
}

/* What a hub file tells in the end, beside feeds: processes as they were last seen. */
static struct state *file_beside_feeds(double at)
{
	struct state *st = rule_state(at, blocked);
	const size_t processes = st->processes;

	build_as_file(st);
	st->single_moment = false;
	st->processes = processes;
	for (size_t i = 0; i < processes; i++)
		st->process[i].carried = true;
	return st;
}

TEST(a_file_that_knows_less_does_not_replace_the_evidence_of_a_dump)
{
	struct judge *judge = judge_create(NULL);

	look(judge, rule_state(0, blocked));
	look(judge, rule_state(1, blocked));
	look(judge, file_beside_feeds(2));
	T_EQ(state_of(judge), FINDING_CONFIRMED);
	const struct finding *f = judge_findings(judge)->list[0];

	T_HAS(f->sentence, "blocked in read on pipe:[1234] in its handler of method 5 for 4.9 s");
	T_HAS(f->evidence_text, "tid 4003 in read on pipe:[1234] (stack S1)");
	T_STR(f->where.site, "load_page main.c:10");
	T_EQ(f->samples, 3);
	judge_destroy(judge);
}

/* The host's own dump: it sees the ring, and nothing of the peer's process. */
static void blocked_unseen(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	blocked(st, hub, p, at);
	build_process(st, p)->carried = true;
}

TEST(a_look_without_the_process_does_not_replace_what_was_seen_of_it)
{
	struct judge *judge = judge_create(NULL);

	look(judge, rule_state(0, blocked));
	look(judge, rule_state(1, blocked));
	look(judge, rule_state(2, blocked_unseen));
	T_EQ(state_of(judge), FINDING_CONFIRMED);
	const struct finding *f = judge_findings(judge)->list[0];

	T_HAS(f->sentence, "blocked in read on pipe:[1234] in its handler of method 5 for 4.9 s");
	T_STR(f->where.site, "load_page main.c:10");
	T_EQ(f->samples, 3);
	judge_destroy(judge);
}

TEST(the_dwell_can_be_set_by_rule)
{
	struct judge_options options = { 0 };
	size_t n;
	const struct rule *const *rules = rules_all(&n);

	for (size_t i = 0; i < n; i++)
		if (strcmp(rules[i]->name, "missed-wakeup") == 0)
			options.dwell_us[i] = 60 * 1000000;
	struct judge *judge = judge_create(&options);

	look(judge, rule_state(0, hangs));
	look(judge, rule_state(1, hangs));
	T_EQ(state_of(judge), FINDING_SUSPECTED);
	T_EQ(judge_findings(judge)->list[0]->dwell_us, 60 * 1000000);
	look(judge, rule_state(58, hangs));
	T_EQ(state_of(judge), FINDING_CONFIRMED);
	judge_destroy(judge);
}

static void two_faults(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	hangs(st, hub, p, at);
	build_blocked(st, build_peer(hub, 7), 3.5 + at);
	build_stopped(st, build_peer(hub, 9));
}

TEST(independent_faults_are_all_in_the_verdict)
{
	struct judge *judge = rule_looks(two_faults, 2);

	T_STR(judge_findings(judge)->verdict,
	      "search (peer 3, pid 4003) hangs: asleep for 5.0 s with 7 messages waiting; "
	      "nobody rang its bell. Also: css(9) is stopped, and markdown(7) stalls.");
	T_EQ(judge_findings(judge)->confirmed[SEVERITY_CRITICAL], 1);
	T_EQ(judge_findings(judge)->confirmed[SEVERITY_WARNING], 2);
	T_EQ(judge_findings(judge)->list[0]->number, 1);
	T_EQ(judge_findings(judge)->list[2]->number, 3);
	judge_destroy(judge);
}

static void many_faults(struct state *st, struct state_hub *hub, struct state_peer *p, double at)
{
	two_faults(st, hub, p, at);
	build_stopped(st, build_peer(hub, 10));
	build_stopped(st, build_peer(hub, 11));
}

TEST(a_verdict_names_three_causes_and_counts_the_rest)
{
	struct judge *judge = rule_looks(many_faults, 2);

	T_HAS(judge_findings(judge)->verdict,
	      "Also: css(9) is stopped, html(10) is stopped, and 2 more.");
	judge_destroy(judge);
}

/* ---- properties ----------------------------------------------------------------------------- */

static uint64_t seed;

static uint32_t random_below(uint32_t n)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

/* Everything that a finding says, but for the numbers of stacks. */
static char *all_words(const struct judge *judge)
{
	const struct findings *f = judge_findings(judge);
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	for (size_t i = 0; i < f->n; i++) {
		const struct finding *g = f->list[i];

		fprintf(out, "F%u %s %s %s|%s|%s|%s|%s|%u|%llu<%u>\n", g->number, g->rule->name,
			finding_state_name(g->state), g->place, g->sentence, g->also, g->brief,
			g->evidence_text, g->samples, (unsigned long long)g->held_us,
			g->consequence_of ? g->consequence_of->number : 0);
		for (size_t k = 0; k < g->facts; k++)
			fprintf(out, "  %s=%s/%lld\n", g->fact[k].key,
				g->fact[k].text ? g->fact[k].text : "",
				(long long)g->fact[k].value);
	}
	fprintf(out, "%s\n", f->verdict);
	fclose(out);
	return text;
}

/* Three threads of a peer: a circle, one behind it, a lock of the dead, a lost wake-up. */
static void locked(struct state *st, struct state_peer *peer, double age, int what)
{
	struct state_process *p = build_process(st, peer);
	const int32_t tid = 10 * peer->pid;

	for (int i = 0; i < 3; i++)
		build_thread(st, p, tid + i, "worker");
	/* those of one lock do not stand side by side */
	build_sleep(st, p, tid, STATE_LOCK_MUTEX, 0x2000, "b", what ? 99 : tid + 1, age);
	build_sleep(st, p, tid + 1, STATE_LOCK_MUTEX, 0x1000, "a", tid, age);
	build_sleep(st, p, tid + 2, STATE_LOCK_MUTEX, 0x2000, "b", what ? 99 : tid + 1, age);
	if (what == 1)
		for (int i = 0; i < 3; i += 2)
			state_find_thread(p, tid + i)->lock->owner_alive = STATE_NO;
	if (what == 2)
		for (int i = 0; i < 3; i += 2) {
			struct state_lock *lock = state_find_thread(p, tid + i)->lock;

			lock->owner_tid = 0;
			lock->value[0] = lock->value[1] = 0;
		}
}

/* Two processes that wait for each other's files: a thread of the peer and one of the host. */
static void locked_files(struct state *st, struct state_peer *peer, double age)
{
	struct state_process *p = build_process(st, peer), *host = build_host_process(st);
	const int32_t ours = 10 * peer->pid, theirs = ours + 1;

	build_thread(st, p, ours, "writer");
	build_thread(st, host, theirs, "writer");
	build_sleep(st, p, ours, STATE_LOCK_FILE, 0, "/run/a", 0, age)->owner_pid = host->pid;
	build_sleep(st, host, theirs, STATE_LOCK_FILE, 0, "/run/b", 0, age)->owner_pid = p->pid;
}

/* A file that is cut off, and frames without names beside one that has one. */
static void incomplete(struct state *st, unsigned id)
{
	const char *const frames[] = { "poll", "serve", "main", NULL };
	struct state_input *in = state_add_input(st);
	const int stack = build_stack(st, frames);

	in->path = arena_printf(&st->arena, "/tmp/input%u", id);
	in->type = id % 2 ? "feed" : "hub";
	in->note = "cut off";
	st->stack[stack].frame[id % 2].function = NULL;
	build_loop(st, build_peer(&st->hub[0], id))->stack = stack;
}

/* Some trouble at some peers, the same for the same `dice`. */
static void random_trouble(struct state *st, struct state_hub *hub, uint64_t dice, double at)
{
	struct state_class *small = build_class(st, hub, 1024, 64);
	struct state_class *large = build_class(st, hub, 1 << 20, 8);

	for (unsigned id = 1; id <= 16; id++) {
		struct state_peer *p = build_peer(hub, id);
		const double age = 2.5 + at + id * 0.1;

		switch (dice >> (4 * (id - 1)) & 15) {
		case 0:
			build_lost_bell(st, p, HUB_RECV, age);
			break;
		case 1:
			build_lost_bell(st, p, HUB_SEND, age);
			break;
		case 2:
			build_deaf(st, p, age);
			break;
		case 3: /* some of them are starved */
			build_spinning(st, p, age);
			if (id % 3)
				build_cpu(st, build_loop(st, p), at / (id % 3 * 8 - 7), at / 2);
			break;
		case 4:
			build_blocked(st, p, age);
			build_call(st, hub, id, 0, 500 + id, age);
			break;
		case 5:
			build_stopped(st, p);
			build_waiting(st, p, HUB_RECV, 246, age);
			break;
		case 6:
			p->state = HUB_PEER_DEAD;
			p->alive = STATE_NO;
			p->died_us = build_ago(st->now_us, age);
			build_owner(st, hub, small, p, HUB_TO_PEER, HUB_SLOT_HELD, 2, age);
			break;
		case 7:
			build_owner(st, hub, small, p, HUB_TO_PEER, HUB_SLOT_IN_FLIGHT, 2,
				    age + 10);
			if (id % 4 == 3)
				locked_files(st, p, age);
			else
				locked(st, p, age, (int)id % 4);
			break;
		case 8:
			build_call(st, hub, 0, id, 600 + id, age)->enqueued_at = 0;
			break;
		case 9:
			build_owner(st, hub, large, p, HUB_TO_PEER, HUB_SLOT_HELD, 1, age);
			large->failed = 1;
			large->slots = large->slots_max = large->slots -
							  large->count[HUB_SLOT_FREE];
			large->count[HUB_SLOT_FREE] = 0;
			break;
		case 10:
			p->ring[HUB_SEND].damage = "cell 7 has the word of another lap";
			incomplete(st, id);
			break;
		case 11:
			build_handler(st, p, 1, age + 4);
			break;
		case 12: /* its handler calls the host, whose handler calls it */
			build_handler(st, p, 5, age);
			build_call(st, hub, 0, id, 700 + id, age)->for_call = 800 + id;
			hub->call[hub->calls - 1].for_peer = (uint16_t)id;
			build_call(st, hub, id, id, 800 + id, age);
			break;
		case 13:
			build_call(st, hub, 0, id, 900 + id, age);
			p->calls_pending = hub->calls_max / 4;
			break;
		case 14:
			build_waiting(st, p, HUB_RECV, 246, age);
			p->ring[HUB_RECV].take_us = build_ago(st->now_us, 0.02);
			p->ring[HUB_RECV].full_waits = 9;
			p->host_flag |= HUB_ASLEEP_SPACE;
			break;
		default:
			break;
		}
	}
}

static void swap_bytes(void *a, void *b, size_t bytes)
{
	char *x = a, *y = b;

	for (size_t i = 0; i < bytes; i++) {
		const char c = x[i];

		x[i] = y[i];
		y[i] = c;
	}
}

static void shuffle(void *array, size_t n, size_t bytes)
{
	for (size_t i = n; i > 1; i--)
		swap_bytes((char *)array + (i - 1) * bytes,
			   (char *)array + random_below((uint32_t)i) * bytes, bytes);
}

/* Threads know theirs by number. */
static void turn_stacks_round(struct state *st)
{
	for (size_t i = 0; i < st->stacks / 2; i++)
		swap_bytes(&st->stack[i], &st->stack[st->stacks - 1 - i], sizeof(*st->stack));
	for (size_t i = 0; i < st->processes; i++)
		for (size_t k = 0; k < st->process[i].threads; k++)
			if (st->process[i].thread[k].stack >= 0)
				st->process[i].thread[k].stack =
					(int)st->stacks - 1 - st->process[i].thread[k].stack;
}

static void shuffle_all(struct state *st)
{
	struct state_hub *h = &st->hub[0];

	turn_stacks_round(st);
	shuffle(st->input, st->inputs, sizeof(*st->input));
	shuffle(h->peer, h->peers, sizeof(*h->peer));
	shuffle(h->klass, h->classes, sizeof(*h->klass));
	for (size_t i = 0; i < h->classes; i++)
		shuffle(h->klass[i].owner, h->klass[i].owners, sizeof(*h->klass[i].owner));
	shuffle(h->slot, h->slots, sizeof(*h->slot));
	shuffle(h->call, h->calls, sizeof(*h->call));
	for (size_t i = 0; i < st->processes; i++)
		shuffle(st->process[i].thread, st->process[i].threads, sizeof(struct state_thread));
	shuffle(st->process, st->processes, sizeof(*st->process));
	for (size_t i = 0; i < h->peers; i++) /* what state_join() does at the end of a source */
		for (size_t k = 0; k < st->processes; k++)
			if (st->process[k].pid == h->peer[i].pid)
				h->peer[i].process = (int)k;
}

enum change { AS_IS, SHUFFLED, SHIFTED, WITH_MORE_PEERS };
enum { SHIFT_US = 777777777 };

static void shift(uint64_t *us)
{
	if (*us)
		*us += SHIFT_US;
}

static void shift_ring(struct state_ring *r)
{
	shift(&r->bell_us);
	shift(&r->take_us);
	shift(&r->oldest.time_us);
	shift(&r->newest.time_us);
}

static void shift_threads(struct state_process *p)
{
	shift(&p->seen_us);
	shift(&p->dump_us);
	for (size_t i = 0; i < p->threads; i++) {
		shift(&p->thread[i].still_us);
		shift(&p->thread[i].cpu.at_us);
		if (!p->thread[i].lock)
			continue;
		shift(&p->thread[i].lock->from_us);
		shift(&p->thread[i].lock->to_us);
	}
}

static void shift_all(struct state *st)
{
	struct state_hub *h = &st->hub[0];

	for (size_t i = 0; i < st->processes; i++)
		shift_threads(&st->process[i]);

	st->now_us += SHIFT_US;
	shift(&h->seen_us);
	shift(&h->tables_us);
	shift(&h->created_us);
	shift(&h->last_alive_us);
	for (size_t i = 0; i < h->peers; i++) {
		struct state_peer *p = &h->peer[i];

		shift(&p->seen_us);
		shift(&p->started_us);
		shift(&p->died_us);
		shift(&p->beat.since_us);
		shift(&p->host_beat.since_us);
		shift(&p->flag_us);
		shift(&p->host_flag_us);
		shift_ring(&p->ring[0]);
		shift_ring(&p->ring[1]);
	}
	for (size_t i = 0; i < h->classes; i++)
		for (size_t k = 0; k < h->klass[i].owners; k++)
			shift(&h->klass[i].owner[k].oldest_us);
	for (size_t i = 0; i < h->slots; i++)
		shift(&h->slot[i].time_us);
	for (size_t i = 0; i < h->calls; i++)
		shift(&h->call[i].started_us);
}

static bool found[JUDGE_RULES]; /* by the order of rules_all(): confirmed as a cause, ever */

static void note_found(const struct judge *judge)
{
	const struct findings *f = judge_findings(judge);

	for (size_t i = 0; i < f->n; i++)
		found[f->list[i]->rank] |= f->list[i]->state == FINDING_CONFIRMED;
}

static void build_as_feed(struct state *st)
{
	st->sources = STATE_FEED;
	st->hub[0].source = STATE_FEED;
	for (size_t i = 0; i < st->processes; i++)
		st->process[i].source = STATE_FEED;
}

enum source_kind { AS_LIVE, AS_FILE, AS_FEED, SOURCE_KINDS };

static char *words_of(uint64_t dice, enum change change, enum source_kind source)
{
	struct judge *judge = judge_create(NULL);

	for (int i = 0; i < 3; i++) {
		struct state *st = build_state(i);
		struct state_hub *hub = build_hub(st, change == WITH_MORE_PEERS ? 40 : 16);

		random_trouble(st, hub, dice, i);
		if (source == AS_FILE)
			build_as_file(st);
		if (source == AS_FEED)
			build_as_feed(st);
		if (change == SHUFFLED)
			shuffle_all(st);
		if (change == SHIFTED)
			shift_all(st);
		look(judge, st);
	}
	char *words = all_words(judge);

	note_found(judge);
	judge_destroy(judge);
	return words;
}

static void compare(enum change change)
{
	seed = t_seed();
	for (unsigned i = 0; i < 300 * t_length(); i++) {
		const uint64_t dice = (uint64_t)random_below(UINT32_MAX) << 32 |
				      random_below(UINT32_MAX);
		char *plain = words_of(dice, AS_IS, i % SOURCE_KINDS);
		char *changed = words_of(dice, change, i % SOURCE_KINDS);

		T_STR(changed, plain);
		free(plain);
		free(changed);
	}
}

TEST(the_order_of_what_a_source_found_changes_nothing)
{
	compare(SHUFFLED);
}

TEST(another_time_of_day_changes_nothing)
{
	compare(SHIFTED);
}

TEST(healthy_peers_beside_change_nothing)
{
	char *none = words_of(UINT64_MAX, WITH_MORE_PEERS, AS_LIVE);

	T_STR(none, "no findings in 2 s of 41 processes\n");
	free(none);
	seed = t_seed();
	for (unsigned i = 0; i < 300 * t_length(); i++) {
		/* peer 1 has trouble, else the verdict counts the healthy */
		const uint64_t dice = (uint64_t)random_below(UINT32_MAX) << 32 |
				      (random_below(UINT32_MAX) & ~15u);
		char *plain = words_of(dice, AS_IS, i % SOURCE_KINDS),
		     *more = words_of(dice, WITH_MORE_PEERS, i % SOURCE_KINDS);

		T_STR(more, plain);
		free(plain);
		free(more);
	}
}

TEST(the_same_states_give_the_same_findings)
{
	compare(AS_IS);
}

TEST(these_properties_were_tried_on_every_rule)
{
	size_t n;
	const struct rule *const *rules = rules_all(&n);

	memset(found, 0, sizeof(found));
	compare(AS_IS);
	for (size_t i = 0; i < n; i++)
		if (!found[i])
			T_FAIL("no trouble of these led to %s", rules[i]->name);
}

/* ---- speed: printed, not asserted ----------------------------------------------------------- */

static struct state *large_state(double at)
{
	const char *const frames[] = { "futex_wait", "queue_pop", "worker", NULL };
	struct state *st = build_state(at);
	struct state_hub *hub = build_hub(st, 1000);
	struct state_process *host = build_host_process(st);
	struct state_class *k = build_class(st, hub, 1024, 100000);
	const int stack = build_stack(st, frames);

	for (unsigned i = 0; i < 9000; i++) {
		struct state_thread *t = state_add_thread(st, host);

		t->tid = (int32_t)(20000 + i);
		t->state = 'S';
		t->wait = STATE_WAIT_FUTEX;
		t->stack = stack;
		build_sleep(st, host, t->tid, STATE_LOCK_MUTEX, 0x1000 + i, NULL, t->tid + 1, 3 + at);
	}
	for (unsigned id = 1; id <= 1000; id++) {
		struct state_peer *p = build_peer(hub, id);

		build_owner(st, hub, k, p, HUB_TO_PEER, HUB_SLOT_IN_FLIGHT, 100, 12 + at);
		p->host_tid = 20000 + id;
		if (id % 10 == 0)
			build_lost_bell(st, p, HUB_RECV, 3 + at);
	}
	return st;
}

TEST(a_thousand_peers_are_judged)
{
	struct judge *judge = judge_create(NULL);
	struct timespec a, b;
	double best = 1e9;

	for (int i = 0; i < 3; i++) {
		struct state *st = large_state(i);

		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
		T_EQ(judge_look(judge, st), 0);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
		const double ms = (double)(b.tv_sec - a.tv_sec) * 1e3 +
				  (double)(b.tv_nsec - a.tv_nsec) / 1e6;

		best = ms < best ? ms : best;
		build_free(st);
	}
	printf("    1000 peers, 10 000 threads, 100 000 slots: %.1f ms of CPU\n", best);
	T_EQ(build_count(judge, FINDING_CONFIRMED), 1100);
	judge_destroy(judge);
}
