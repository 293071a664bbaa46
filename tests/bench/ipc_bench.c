/*
 * ipc_bench - libshmhub beside the transports of Debian, in one run.
 *
 *	ipc_bench [--json FILE] [--rounds N] [--only NAME] [ROW...]
 *
 * ROW: rows whose names begin so. --only: this transport alone, for a quick look.
 *
 * Each measurement runs in a process pair of its own, CPU 0 and CPU 1, ours and the peers in
 * turn, round by round. Rows are gated only when the probe found both CPUs near.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/bench/ipc.h"

void ipc_fill(void *buf, size_t bytes, uint64_t seed)
{
	uint64_t *w = buf;

	for (size_t i = 0; i < bytes / 8; i++)
		w[i] = seed + i;
}

uint64_t ipc_sum(const void *buf, size_t bytes)
{
	const uint64_t *w = buf;
	uint64_t sum = 0;

	for (size_t i = 0; i < bytes / 8; i++)
		sum += w[i];
	return sum;
}

void ipc_count(struct ipc_shared *shared, uint64_t sum)
{
	const uint64_t n = atomic_load_explicit(&shared->received, memory_order_relaxed) + 1;

	atomic_store_explicit(&shared->sum, shared->sum + sum, memory_order_relaxed);
	if (n == shared->want)
		atomic_store(&shared->last_ns, bench_now_ns());
	atomic_store_explicit(&shared->received, n, memory_order_release);
}

enum { PARK_US = 300 };

void ipc_die(struct ipc_shared *shared, enum ipc_death at)
{
	if (shared->die != (uint32_t)at)
		return;
	atomic_store(&shared->killed_ns, bench_now_ns());
	kill(getpid(), SIGKILL);
}

void ipc_pause(struct ipc_shared *shared)
{
	if (!shared->parked)
		return;
	atomic_store(&shared->woke_ns, bench_now_ns());
	usleep(PARK_US);
	atomic_store(&shared->sent_ns, bench_now_ns());
}

enum kind {
	ROUND_TRIP, PARKED, ONE_WAY, MANY,
	DEATH_HOLDING, DEATH_RESERVED, DEATH_HOST,
	/* libshmhub alone */
	IDLE, IDLE_KIB, PUNCH, THREADS, STOPS, SWALLOWS, HOARDS,
};
enum { BLOCKED_MS = 5000 }; /* who has not learned of a death by then never does */

struct row_plan {
	const char *name, *unit;
	enum kind kind;
	size_t bytes;
	unsigned count;               /* messages; MANY: peers; */
	unsigned depth;
	bool higher_is_better;
	double target;                /* ratio against the best of `against`; 0: none */
	const struct ipc_ops *against[9];
	double limit;                 /* ours must not be above it (higher_is_better: below); 0: none */
};

#define ALL &ipc_seqpacket, &ipc_stream, &ipc_pipe, &ipc_mq, &ipc_zmq, &ipc_nng, &ipc_iceoryx
#define UNIX &ipc_seqpacket, &ipc_stream
#define MANY_PEERS &ipc_seqpacket, &ipc_zmq, &ipc_iceoryx
#define DEATHS &ipc_stream, &ipc_iceoryx

static const struct row_plan plan[] = {
	{ "rtt64_hot", "us", ROUND_TRIP, 64, 20000, 0, false, 100, { ALL }, 0 },
	{ "rtt64_parked", "us", PARKED, 64, 300, 0, false, 0.9, { &ipc_futex }, 0 },
	{ "oneway64_pipe", "M/s", ONE_WAY, 64, 2000000, 0, true, 10, { &ipc_pipe }, 0 },
	{ "oneway64_zmq", "M/s", ONE_WAY, 64, 2000000, 0, true, 10, { &ipc_zmq }, 0 },
	{ "oneway64_iox", "M/s", ONE_WAY, 64, 2000000, 0, true, 10, { &ipc_iceoryx }, 0 },
	{ "oneway64K", "GB/s", ONE_WAY, 64 << 10, 20000, 0, true, 1.0, { ALL }, 0 },
	{ "oneway1M", "GB/s", ONE_WAY, 1 << 20, 3000, 0, true, 1.2, { ALL }, 0 },
	{ "oneway10M", "GB/s", ONE_WAY, 10 << 20, 300, 0, true, 1.4, { ALL }, 0 },
	{ "oneway1M_unix", "GB/s", ONE_WAY, 1 << 20, 3000, 0, true, 3, { UNIX }, 0 },
	{ "oneway10M_unix", "GB/s", ONE_WAY, 10 << 20, 300, 0, true, 3, { UNIX }, 0 },
	{ "many16_depth1", "k/s", MANY, 64, 16, 1, true, 1.2, { MANY_PEERS }, 0 },
	{ "many16_depth8", "k/s", MANY, 64, 16, 8, true, 3, { MANY_PEERS }, 0 },
	/* what a socket as doorbell costs: one that passes nothing but a byte */
	{ "limit_parked", "us", PARKED, 64, 300, 0, false, 0, { &ipc_bell, &ipc_futex }, 0 },
	/* what the memory itself allows: bare buffers between two processes that only spin */
	{ "limit64K", "GB/s", ONE_WAY, 64 << 10, 20000, 0, true, 0, { &ipc_bare }, 0 },
	{ "limit1M", "GB/s", ONE_WAY, 1 << 20, 3000, 0, true, 0, { &ipc_bare }, 0 },
	{ "limit10M", "GB/s", ONE_WAY, 10 << 20, 300, 0, true, 0, { &ipc_bare }, 0 },
	/* the price of more: peers, threads of the host, bytes */
	{ "peers1", "k/s", MANY, 64, 1, 8, true, 0, { NULL }, 0 },
	{ "peers2", "k/s", MANY, 64, 2, 8, true, 0, { NULL }, 0 },
	{ "peers4", "k/s", MANY, 64, 4, 8, true, 0, { NULL }, 0 },
	{ "peers8", "k/s", MANY, 64, 8, 8, true, 0, { NULL }, 0 },
	{ "peers16", "k/s", MANY, 64, 16, 8, true, 0, { NULL }, 0 },
	{ "peers32", "k/s", MANY, 64, 32, 8, true, 0, { NULL }, 0 },
	{ "peers64", "k/s", MANY, 64, 64, 8, true, 0, { NULL }, 0 },
	{ "threads1", "k/s", THREADS, 64, 1, 0, true, 0, { NULL }, 0 },
	{ "threads2", "k/s", THREADS, 64, 2, 0, true, 0, { NULL }, 0 },
	{ "threads8", "k/s", THREADS, 64, 8, 0, true, 0, { NULL }, 0 },
	{ "threads20", "k/s", THREADS, 64, 20, 0, true, 0, { NULL }, 0 },
	{ "threads80", "k/s", THREADS, 64, 80, 0, true, 0, { NULL }, 0 },
	{ "payload8", "M/s", ONE_WAY, 8, 2000000, 0, true, 0, { NULL }, 0 },
	{ "payload64", "M/s", ONE_WAY, 64, 2000000, 0, true, 0, { NULL }, 0 },
	{ "payload192", "M/s", ONE_WAY, 192, 1000000, 0, true, 0, { NULL }, 0 },
	{ "payload1K", "M/s", ONE_WAY, 1 << 10, 500000, 0, true, 0, { NULL }, 0 },
	{ "payload4K", "GB/s", ONE_WAY, 4 << 10, 200000, 0, true, 0, { NULL }, 0 },
	{ "payload16K", "GB/s", ONE_WAY, 16 << 10, 80000, 0, true, 0, { NULL }, 0 },
	{ "payload64K", "GB/s", ONE_WAY, 64 << 10, 20000, 0, true, 0, { NULL }, 0 },
	{ "payload256K", "GB/s", ONE_WAY, 256 << 10, 8000, 0, true, 0, { NULL }, 0 },
	{ "payload1M", "GB/s", ONE_WAY, 1 << 20, 3000, 0, true, 0, { NULL }, 0 },
	{ "payload4M", "GB/s", ONE_WAY, 4 << 20, 600, 0, true, 0, { NULL }, 0 },
	{ "payload16M", "GB/s", ONE_WAY, 16 << 20, 200, 0, true, 0, { NULL }, 0 },
	/* how long the other side is blocked */
	{ "death_holding", "ms", DEATH_HOLDING, 64 << 10, 0, 0, false, 0, { DEATHS }, 50 },
	{ "death_reserved", "ms", DEATH_RESERVED, 64 << 10, 0, 0, false, 0, { DEATHS }, 50 },
	{ "death_host", "ms", DEATH_HOST, 64 << 10, 0, 0, false, 0, { DEATHS }, 50 },
	{ "idle32_cpu", "ms/s", IDLE, 0, 32, 0, false, 0, { NULL }, 0.1 },
	{ "idle16_memory", "KiB", IDLE_KIB, 0, 16, 0, false, 0, { NULL }, 2048 },
	{ "burst_given_back", "s", PUNCH, 0, 64, 0, false, 0, { NULL }, 5 },
	/* calls of the others, over those while it behaves */
	{ "one_stopped", "ratio", STOPS, 0, 0, 0, true, 0, { NULL }, 0.9 },
	{ "one_swallows", "ratio", SWALLOWS, 0, 0, 0, true, 0, { NULL }, 0.9 },
	{ "one_hoards", "ratio", HOARDS, 0, 0, 0, true, 0, { NULL }, 0.9 },
};

struct ipc_shared *ipc_pair;
static const char *only; /* --only */

static pid_t start_side1(const struct ipc_ops *ops, size_t bytes, bool echo)
{
	if (ops->start)
		return ops->start(ipc_pair, bytes, echo);
	const pid_t pid = fork();
	if (pid == 0) {
		if (!ipc_pair->orphan)
			prctl(PR_SET_PDEATHSIG, SIGKILL);
		bench_pin(1);
		ipc_pair->side1 = getpid();
		ipc_pair->failed = ops->serve(ipc_pair, bytes, echo);
		atomic_store(&ipc_pair->noticed_ns, bench_now_ns());
		_exit(0);
	}
	return pid;
}

static int exchange(const struct ipc_ops *ops, size_t bytes, uint64_t seed)
{
	uint64_t sum;
	const int r = ops->send(bytes, seed);

	return r ? r : ops->receive(bytes, &sum);
}

static double round_trip(const struct ipc_ops *ops, const struct row_plan *row)
{
	double *us = calloc(row->count, sizeof(*us));

	for (unsigned i = 0; i < row->count + row->count / 10; i++) {
		const uint64_t t = bench_now_ns();

		if (exchange(ops, row->bytes, i))
			return 0;
		us[i % row->count] = (double)(bench_now_ns() - t) / 1000;
	}
	const double p50 = bench_percentile(us, row->count, 0.5);
	free(us);
	return p50;
}

/* Both sides asleep before each message: the two waking times, without the pauses. */
static double parked(const struct ipc_ops *ops, const struct row_plan *row)
{
	double *us = calloc(row->count, sizeof(*us));

	ipc_pair->parked = true;
	for (unsigned i = 0; i < row->count; i++) {
		usleep(PARK_US);
		const uint64_t t = bench_now_ns();
		if (exchange(ops, row->bytes, i))
			return 0;
		const uint64_t end = bench_now_ns();
		us[i] = (double)(ipc_pair->woke_ns - t + (end - ipc_pair->sent_ns)) / 1000;
	}
	const double p50 = bench_percentile(us, row->count, 0.5);
	free(us);
	return p50;
}

static double one_way(const struct ipc_ops *ops, const struct row_plan *row)
{
	const unsigned warm = row->count / 20 + 4;

	for (unsigned i = 0; i < warm; i++)
		if (ops->send(row->bytes, i))
			return 0;
	while (atomic_load(&ipc_pair->received) < warm)
		usleep(100);
	ipc_pair->want = warm + row->count;
	const uint64_t start = bench_now_ns();
	for (unsigned i = 0; i < row->count; i++)
		if (ops->send(row->bytes, i))
			return 0;
	while (!atomic_load(&ipc_pair->last_ns))
		usleep(100);
	const double s = (double)(ipc_pair->last_ns - start) / 1e9;
	return row->bytes >= 4096 ? (double)row->bytes * row->count / s / 1e9 : row->count / s / 1e6;
}

static sigjmp_buf too_long;

static void on_alarm(int sig)
{
	(void)sig;
	siglongjmp(too_long, 1);
}

/* Side 1 dies with our message in hand, or with its answer half made: how long are we blocked? */
static double death(const struct ipc_ops *ops, const struct row_plan *row, enum ipc_death at)
{
	double ms = BLOCKED_MS;

	if (exchange(ops, row->bytes, 1))
		return 0;
	signal(SIGALRM, on_alarm);
	atomic_store(&ipc_pair->die, (uint32_t)at);
	if (sigsetjmp(too_long, 1) == 0) {
		alarm(BLOCKED_MS / 1000);
		while (exchange(ops, row->bytes, 2) == 0)
			;
		ms = (double)(bench_now_ns() - ipc_pair->killed_ns) / 1e6;
	}
	alarm(10); /* for the way out */
	signal(SIGALRM, SIG_DFL);
	return ms;
}

/* We, side 0, die. Whoever forked us looks when side 1 knows. */
static double death_of_host(const struct ipc_ops *ops, const struct row_plan *row)
{
	if (exchange(ops, row->bytes, 1))
		return 0;
	atomic_store(&ipc_pair->killed_ns, bench_now_ns());
	kill(getpid(), SIGKILL);
	return 0;
}

static double after_death_of_host(const struct ipc_ops *ops)
{
	double ms = BLOCKED_MS;

	if (!ipc_pair->killed_ns)
		return 0;
	for (unsigned i = 0; i < BLOCKED_MS && !ipc_pair->noticed_ns; i++)
		usleep(1000);
	if (ipc_pair->noticed_ns)
		ms = (double)(ipc_pair->noticed_ns - ipc_pair->killed_ns) / 1e6;
	else
		kill(ipc_pair->side1, SIGKILL);
	if (ops->after_death)
		ops->after_death(ipc_pair);
	return ms;
}

static double measure_pair(const struct ipc_ops *ops, const struct row_plan *row)
{
	const bool echo = row->kind != ONE_WAY;

	if (ops->setup(row->bytes))
		return 0;
	const pid_t side1 = start_side1(ops, row->bytes, echo);
	double v = 0;
	if (side1 >= 0 && (!ops->begin || ops->begin(row->bytes) == 0)) {
		switch (row->kind) {
		case ROUND_TRIP: v = round_trip(ops, row); break;
		case PARKED: v = parked(ops, row); break;
		case ONE_WAY: v = one_way(ops, row); break;
		case DEATH_HOLDING: v = death(ops, row, IPC_DIES_HOLDING); break;
		case DEATH_RESERVED: v = death(ops, row, IPC_DIES_RESERVED); break;
		case DEATH_HOST: v = death_of_host(ops, row); break;
		default: break;
		}
	}
	if (side1 > 0 && !ops->start) {
		kill(side1, SIGKILL);
		waitpid(side1, NULL, 0);
	}
	ops->teardown();
	return v;
}

static bool is_death(const struct row_plan *row)
{
	return row->kind >= DEATH_HOLDING && row->kind <= DEATH_HOST;
}

/* 0.001 stands for none at all: 0 is what could not be measured. */
static double measure_hub(const struct row_plan *row)
{
	double v;

	switch (row->kind) {
	case IDLE: v = ipc_hub_idle(row->count); break;
	case IDLE_KIB: v = ipc_hub_idle_kib(row->count); break;
	case PUNCH: v = ipc_hub_punch_s(row->count); break;
	case THREADS: return ipc_hub_threads(row->count, 0.5) / 1000;
	case STOPS: return ipc_hub_disturbed(IPC_STOPS, 2.4);
	case SWALLOWS: return ipc_hub_disturbed(IPC_SWALLOWS, 2.4);
	default: return ipc_hub_disturbed(IPC_HOARDS, 2.4);
	}
	return v < 0 ? 0 : v > 0.001 ? v : 0.001;
}

static double run_kind(const struct ipc_ops *ops, const struct row_plan *row)
{
	if (row->kind >= IDLE)
		return measure_hub(row); /* not pinned: its threads and peers are many */
	bench_pin(0);
	return row->kind == MANY ? ops->many(row->count, row->depth, 0.5) / 1000 :
				   measure_pair(ops, row);
}

static double measure(const struct ipc_ops *ops, const struct row_plan *row)
{
	double result = 0;
	int pipe_fd[2];

	if ((only && strcmp(only, ops->name) != 0) || ops->missing || (ops->max_bytes && row->bytes > ops->max_bytes) ||
	    (row->kind == MANY && !ops->many) || (is_death(row) && !ops->has_deaths) || pipe(pipe_fd))
		return 0;
	memset(ipc_pair, 0, sizeof(*ipc_pair));
	ipc_pair->orphan = row->kind == DEATH_HOST;
	const pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(60);
		result = run_kind(ops, row);
		if (write(pipe_fd[1], &result, sizeof(result)) < 0)
			_exit(1);
		_exit(0);
	}
	close(pipe_fd[1]);
	/* of a host that dies nothing comes; and its peer still has the other end open */
	if (row->kind == DEATH_HOST || read(pipe_fd[0], &result, sizeof(result)) != sizeof(result))
		result = 0;
	close(pipe_fd[0]);
	waitpid(pid, NULL, 0);
	return row->kind == DEATH_HOST ? after_death_of_host(ops) : result;
}

static bool is_better(const struct row_plan *row, double a, double b)
{
	return row->higher_is_better ? a > b : a < b;
}

struct result { double v[BENCH_ROUNDS_MAX]; unsigned n; };

/* One round: ours, then each peer; kept only if the placement was the same before and after. */
static void one_round(const struct row_plan *row, struct result *ours, struct result *theirs,
		      enum bench_placement *seen)
{
	const enum bench_placement before = bench_placement(bench_line_ns());
	double v = measure(&ipc_shmhub, row), t[9] = { 0 };

	for (unsigned i = 0; row->against[i]; i++)
		t[i] = measure(row->against[i], row);
	const enum bench_placement after = bench_placement(bench_line_ns());
	if (before != after || before < *seen)
		return;
	if (before > *seen) { /* near figures replace far ones */
		*seen = before;
		ours->n = 0;
		for (unsigned i = 0; i < 9; i++)
			theirs[i].n = 0;
	}
	if (v > 0)
		ours->v[ours->n++] = v;
	for (unsigned i = 0; row->against[i]; i++)
		if (t[i] > 0)
			theirs[i].v[theirs[i].n++] = t[i];
}

static struct bench_row run_row(const struct row_plan *row, unsigned rounds,
				enum bench_placement *placement)
{
	struct result ours = { { 0 }, 0 }, theirs[9] = { 0 };
	enum bench_placement seen = BENCH_FAR;
	struct bench_row out = { .name = row->name, .unit = row->unit, .target = row->target,
				 .limit = row->limit, .higher_is_better = row->higher_is_better };

	/* a round during which the CPUs moved is thrown away; so are far ones once near was seen */
	for (unsigned i = 0; i < 3 * rounds && ours.n < rounds; i++)
		one_round(row, &ours, theirs, &seen);
	out.rounds = ours.n;
	out.ours = bench_median(ours.v, ours.n);
	for (unsigned i = 0; row->against[i]; i++) {
		const double v = bench_median(theirs[i].v, theirs[i].n);

		if (v > 0)
			printf("    %-16s %-16s %10.3g %s\n", row->name, row->against[i]->name, v, row->unit);
		else if (row->against[i]->missing)
			printf("    %-16s %-16s not installed: apt-get install %s\n", row->name,
			       row->against[i]->name, row->against[i]->missing);
		if (v > 0 && (!out.peer || is_better(row, v, out.theirs))) {
			out.theirs = v;
			out.peer = row->against[i]->name;
		}
	}
	printf("    %-16s %-16s %10.3g %s\n", row->name, "shmhub", out.ours, row->unit);
	fflush(stdout);
	if (out.ours > 0 && out.theirs > 0)
		out.ratio = row->higher_is_better ? out.ours / out.theirs : out.theirs / out.ours;
	out.gated = seen == BENCH_NEAR && out.peer;
	out.note = seen == BENCH_NEAR ? NULL : "far";
	if (seen > *placement)
		*placement = seen;
	return out;
}

int main(int argc, char **argv)
{
	enum { ROWS = sizeof(plan) / sizeof(plan[0]) };
	struct bench_row row[ROWS];
	const char *json = NULL;
	unsigned rounds = 5, rows = 0;
	enum bench_placement placement = BENCH_FAR;
	int names = argc;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0 && i + 1 < argc)
			json = argv[++i];
		else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
			rounds = (unsigned)atoi(argv[++i]);
		else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
			only = argv[++i];
		else {
			names = i;
			break;
		}
	}
	if (rounds < 1 || rounds > BENCH_ROUNDS_MAX) {
		fprintf(stderr, "ipc_bench: --rounds takes 1 to %d\n", BENCH_ROUNDS_MAX);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	ipc_pair = mmap(NULL, sizeof(*ipc_pair), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ipc_pair == MAP_FAILED)
		return 1;
	for (unsigned i = 0; i < ROWS; i++) {
		bool wanted = names == argc;

		for (int k = names; k < argc; k++)
			wanted |= strncmp(plan[i].name, argv[k], strlen(argv[k])) == 0;
		if (wanted)
			row[rows++] = run_row(&plan[i], rounds, &placement);
	}
	bench_print("ipc", row, rows);
	return json ? bench_write("ipc", json, placement, row, rows) != 0 : 0;
}
