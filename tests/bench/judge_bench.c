/*
 * judge_bench - how long the judge needs for one look at a very large family: 1000 peers, 10 000
 * threads, 100 000 slots, each of them listed. In CPU time, so that a busy machine tells the
 * same. The target is not a peer's time but a bound: 50 ms, so that shmtop can judge each sample.
 *
 *	healthy   nothing is wrong anywhere
 *	trouble   every tenth peer sleeps beside its messages, all slots are stuck in flight
 *	crowd     as healthy, and 9000 threads of the host wait for mutexes, in chains
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/findings/findings.h"
#include "tests/bench/bench.h"

enum { PEERS = 1000, THREADS = 10000, SLOTS = 100000, CALLS = 8192, BOUND_MS = 50 };
enum family { HEALTHY, TROUBLE, CROWD };

static const uint64_t now_us = UINT64_C(1000000000);

static uint64_t ago(double seconds)
{
	return now_us - (uint64_t)(seconds * 1e6);
}

static void need(const void *p)
{
	if (p)
		return;
	fprintf(stderr, "judge_bench: out of memory\n");
	exit(1);
}

static void add_thread(struct state *st, struct state_process *p, int32_t tid, int stack)
{
	struct state_thread *t = state_add_thread(st, p);

	need(t);
	t->tid = tid;
	t->state = 'S';
	t->wait = STATE_WAIT_POLL;
	t->wait_text = "epoll_wait";
	t->stack = stack;
}

/* Each holds one mutex and waits for the next: chains of a hundred, none of them closed. */
static void let_wait(struct state *st, struct state_process *host)
{
	for (size_t i = 0; i < host->threads; i++) {
		struct state_thread *t = &host->thread[i];
		struct state_lock *lock = arena_take(&st->arena, sizeof(*lock));
		const bool last = i % 100 == 99 || i + 1 == host->threads;

		need(lock);
		if (last)
			continue;
		*lock = (struct state_lock){
			.kind = STATE_LOCK_MUTEX, .sure = true, .looks = 2, .is_private = true,
			.addr = 0x7f0000000000 + 64 * (uint64_t)(i + 1),
			.word = 0x7f0000000000 + 64 * (uint64_t)(i + 1),
			.expected = 2, .value = { 2, 2 },
			.owner_tid = host->thread[i + 1].tid, .owner_pid = host->pid,
			.owner_alive = STATE_YES, .from_us = ago(3), .to_us = now_us,
		};
		t->wait = STATE_WAIT_FUTEX;
		t->wait_text = "futex";
		t->lock = lock;
	}
}

static struct state_process *add_process(struct state *st, int32_t pid, int threads, int stack)
{
	struct state_process *p = state_add_process(st);

	need(p);
	p->pid = pid;
	p->start = 1;
	p->name = "plugin";
	p->state = 'S';
	p->alive = STATE_YES;
	p->source = STATE_LIVE;
	p->seen_us = now_us;
	p->all_threads = true;
	for (int i = 0; i < threads; i++)
		add_thread(st, p, pid + i, stack);
	return p;
}

static void add_peer(struct state *st, struct state_hub *hub, unsigned id, enum family family)
{
	struct state_peer *p = state_add_peer(st, hub, id);

	need(p);
	p->name = "plugin";
	p->pid = id ? 100000 + (int32_t)id : hub->host_pid;
	p->start = 1;
	p->state = HUB_PEER_LIVE;
	p->alive = STATE_YES;
	p->stopped = STATE_NO;
	p->incarnation = 1;
	p->started_us = ago(500);
	p->loop_tid = (uint32_t)p->pid;
	p->host_tid = (uint32_t)hub->host_pid + id;
	p->flag = p->host_flag = HUB_ASLEEP_MESSAGE;
	p->flag_us = p->host_flag_us = ago(5);
	p->beat = (struct state_beat){ HUB_BEAT_ASLEEP, 0, ago(5) };
	for (int dir = 0; dir < 2; dir++) {
		struct state_ring *r = &p->ring[dir];

		*r = (struct state_ring){ .head = 500, .tail = 500, .published = 500, .written = 500,
					  .read = 500, .capacity = 256, .bell = 0, .take_us = ago(5) };
	}
	if (family != TROUBLE || id % 10)
		return;
	struct state_ring *r = &p->ring[HUB_RECV];

	r->head = r->published = r->written = 507;
	r->waiting = 7;
	r->oldest = (struct state_message){ .is_there = true, .time_us = ago(4), .position = 500 };
	r->newest = r->oldest;
}

static void add_slots(struct state *st, struct state_hub *hub, enum family family)
{
	const double age = family == TROUBLE ? 20 : 0.5;

	hub->klass = arena_take(&st->arena, sizeof(*hub->klass));
	hub->slot = arena_take(&st->arena, SLOTS * sizeof(*hub->slot));
	need(hub->klass);
	need(hub->slot);
	hub->classes = 1;
	hub->slots_listed = true;
	struct state_class *k = hub->klass;

	*k = (struct state_class){ .bytes = 1024, .slots = SLOTS, .slots_max = 2 * SLOTS };
	k->count[HUB_SLOT_IN_FLIGHT] = SLOTS;
	k->owner = arena_take(&st->arena, PEERS * sizeof(*k->owner));
	need(k->owner);
	for (unsigned id = 1; id <= PEERS; id++)
		k->owner[k->owners++] = (struct state_owner){
			.peer = (uint16_t)id, .incarnation = 1, .direction = HUB_TO_PEER,
			.slot_state = HUB_SLOT_IN_FLIGHT, .n = SLOTS / PEERS, .oldest_us = ago(age) };
	for (uint32_t i = 0; i < SLOTS; i++)
		hub->slot[hub->slots++] = (struct state_slot){
			.index = i, .slot_state = HUB_SLOT_IN_FLIGHT, .direction = HUB_TO_PEER,
			.peer = (uint16_t)(1 + i % PEERS), .incarnation = 1, .generation = 9,
			.time_us = ago(age), .bytes = 1000 };
}

static void add_calls(struct state *st, struct state_hub *hub)
{
	hub->call = arena_take(&st->arena, CALLS * sizeof(*hub->call));
	need(hub->call);
	hub->calls_max = hub->calls_pending = CALLS;
	for (uint32_t i = 0; i < CALLS; i++)
		hub->call[hub->calls++] = (struct state_call){
			.id = i + 1, .call_state = HUB_CALL_PENDING, .peer = (uint16_t)(1 + i % PEERS),
			.enqueued_peer = (uint16_t)(1 + i % PEERS), .enqueued_at = 400,
			.started_us = ago(0.2), .tid = 2000, .for_call = i + 1,
			.for_peer = (uint16_t)(1 + i % 7) };
}

static void build(struct state *st, enum family family)
{
	state_init(st);
	st->now_us = now_us;
	st->sources = STATE_LIVE;
	st->sees_processes = st->sees_bells = true;
	struct state_stack *stack = state_add_stack(st);

	need(stack);
	struct state_hub *hub = state_add_hub(st);

	need(hub);
	hub->path = "/dev/shm/large.hub";
	hub->id = 0xbe;
	hub->source = STATE_LIVE;
	hub->seen_us = now_us;
	hub->created_us = ago(600);
	hub->host_pid = 2000;
	hub->host_start = 1;
	hub->host_alive = STATE_YES;
	for (unsigned id = 0; id <= PEERS; id++)
		add_peer(st, hub, id, family);
	add_slots(st, hub, family);
	add_calls(st, hub);
	add_process(st, 2000, THREADS - PEERS, 0);
	for (int id = 1; id <= PEERS; id++)
		add_process(st, 100000 + id, 1, 0);
	if (family == CROWD)
		let_wait(st, &st->process[0]);
	if (state_join(st))
		need(NULL);
}

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Looks at the same family again and again; the first, which makes the page, counts as well.
 * Trouble grows older by a second each time. */
static struct bench_row measure(const char *name, enum family family, unsigned rounds)
{
	struct judge *judge = judge_create(NULL);
	double ms[BENCH_ROUNDS_MAX];
	struct state st;

	need(judge);
	build(&st, family);
	for (unsigned i = 0; i < rounds; i++) {
		const double begin = cpu_ms();

		if (judge_look(judge, &st))
			need(NULL);
		ms[i] = cpu_ms() - begin;
		if (family != TROUBLE)
			continue;
		st.now_us += 1000000;
		st.hub[0].seen_us = st.hub[0].tables_us = st.now_us;
		for (size_t p = 0; p < st.hub[0].peers; p++)
			st.hub[0].peer[p].seen_us = st.now_us;
	}
	const struct findings *f = judge_findings(judge);
	const double median = bench_median(ms, rounds);

	printf("    %-8s %zu findings, %zu of them confirmed critical; %.80s\n", name, f->n,
	       f->confirmed[SEVERITY_CRITICAL], f->verdict);
	state_fini(&st);
	judge_destroy(judge);
	return (struct bench_row){ .name = name, .unit = "ms", .peer = "bound", .ours = median,
				   .theirs = BOUND_MS, .ratio = BOUND_MS / median, .target = 1,
				   .gated = true, .rounds = rounds };
}

int main(int argc, char **argv)
{
	const char *json = NULL;
	unsigned rounds = 9;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--json") == 0)
			json = argv[i + 1];
		else if (strcmp(argv[i], "--rounds") == 0)
			rounds = (unsigned)atoi(argv[i + 1]);
	}
	if (rounds < 1 || rounds > BENCH_ROUNDS_MAX)
		rounds = BENCH_ROUNDS_MAX;
	const struct bench_row row[] = {
		measure("healthy", HEALTHY, rounds),
		measure("trouble", TROUBLE, rounds),
		measure("crowd", CROWD, rounds),
	};
	const size_t rows = sizeof(row) / sizeof(row[0]);

	bench_print("judge", row, rows);
	return json ? bench_write("judge", json, BENCH_NEAR, row, rows) != 0 : 0;
}
