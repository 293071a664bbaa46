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

void ipc_pause(struct ipc_shared *shared)
{
	if (!shared->parked)
		return;
	atomic_store(&shared->woke_ns, bench_now_ns());
	usleep(PARK_US);
	atomic_store(&shared->sent_ns, bench_now_ns());
}

enum kind { ROUND_TRIP, PARKED, ONE_WAY, MANY, DEATH };

struct row_plan {
	const char *name, *unit;
	enum kind kind;
	size_t bytes;
	unsigned count;               /* messages; MANY: peers; */
	unsigned depth;
	bool higher_is_better;
	double target;                /* ratio against the best of `against` */
	const struct ipc_ops *against[9];
};

#define ALL &ipc_seqpacket, &ipc_stream, &ipc_pipe, &ipc_mq, &ipc_zmq, &ipc_nng, &ipc_iceoryx

static const struct row_plan plan[] = {
	{ "rtt64_hot", "us", ROUND_TRIP, 64, 20000, 0, false, 100, { ALL } },
	{ "rtt64_parked", "us", PARKED, 64, 300, 0, false, 0.9, { &ipc_futex } },
	{ "oneway64_pipe", "M/s", ONE_WAY, 64, 2000000, 0, true, 10, { &ipc_pipe } },
	{ "oneway64_zmq", "M/s", ONE_WAY, 64, 2000000, 0, true, 10, { &ipc_zmq } },
	{ "oneway64_iox", "M/s", ONE_WAY, 64, 2000000, 0, true, 10, { &ipc_iceoryx } },
	{ "oneway64K", "GB/s", ONE_WAY, 64 << 10, 20000, 0, true, 1.0, { ALL } },
	{ "oneway1M", "GB/s", ONE_WAY, 1 << 20, 3000, 0, true, 1.2, { ALL } },
	{ "oneway10M", "GB/s", ONE_WAY, 10 << 20, 300, 0, true, 1.4, { ALL } },
	{ "oneway1M_unix", "GB/s", ONE_WAY, 1 << 20, 3000, 0, true, 3, { &ipc_seqpacket, &ipc_stream } },
	{ "oneway10M_unix", "GB/s", ONE_WAY, 10 << 20, 300, 0, true, 3, { &ipc_seqpacket, &ipc_stream } },
	{ "many16_depth1", "k/s", MANY, 64, 16, 1, true, 1.2, { &ipc_seqpacket, &ipc_zmq, &ipc_iceoryx } },
	{ "many16_depth8", "k/s", MANY, 64, 16, 8, true, 3, { &ipc_seqpacket, &ipc_zmq, &ipc_iceoryx } },
	{ "peers1", "k/s", MANY, 64, 1, 8, true, 0, { NULL } },
	{ "peers4", "k/s", MANY, 64, 4, 8, true, 0, { NULL } },
	{ "peers64", "k/s", MANY, 64, 64, 8, true, 0, { NULL } },
	{ "oneway8", "M/s", ONE_WAY, 8, 2000000, 0, true, 0, { NULL } },
	{ "oneway1K", "M/s", ONE_WAY, 1 << 10, 500000, 0, true, 0, { NULL } },
	{ "oneway16M", "GB/s", ONE_WAY, 16 << 20, 200, 0, true, 0, { NULL } },
	{ "death_ms", "ms", DEATH, 64, 0, 0, false, 0, { &ipc_stream, &ipc_iceoryx } },
};

static struct ipc_shared *shared;
static const char *only; /* --only */

static pid_t start_side1(const struct ipc_ops *ops, size_t bytes, bool echo)
{
	if (ops->start)
		return ops->start(shared, bytes, echo);
	const pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		bench_pin(1);
		shared->failed = ops->serve(shared, bytes, echo);
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

	shared->parked = true;
	for (unsigned i = 0; i < row->count; i++) {
		usleep(PARK_US);
		const uint64_t t = bench_now_ns();
		if (exchange(ops, row->bytes, i))
			return 0;
		const uint64_t end = bench_now_ns();
		us[i] = (double)(shared->woke_ns - t + (end - shared->sent_ns)) / 1000;
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
	while (atomic_load(&shared->received) < warm)
		usleep(100);
	shared->want = warm + row->count;
	const uint64_t start = bench_now_ns();
	for (unsigned i = 0; i < row->count; i++)
		if (ops->send(row->bytes, i))
			return 0;
	while (!atomic_load(&shared->last_ns))
		usleep(100);
	const double s = (double)(shared->last_ns - start) / 1e9;
	return row->bytes >= 4096 ? (double)row->bytes * row->count / s / 1e9 : row->count / s / 1e6;
}

/* How long a call is blocked after the other side was killed; 3000: it never learned. */
static double death(const struct ipc_ops *ops, pid_t side1)
{
	if (exchange(ops, 64, 1))
		return 0;
	if (!ops->told_of_death)
		return 3000;
	shared->parked = true; /* it will sleep while it has our message */
	const pid_t killer = fork();
	if (killer == 0) {
		while (!shared->woke_ns)
			usleep(10);
		shared->sent_ns = bench_now_ns();
		kill(side1, SIGKILL);
		_exit(0);
	}
	shared->woke_ns = 0;
	while (exchange(ops, 64, 2) == 0)
		;
	const double ms = (double)(bench_now_ns() - shared->sent_ns) / 1e6;
	waitpid(killer, NULL, 0);
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
		case DEATH: v = death(ops, side1); break;
		case MANY: break;
		}
	}
	if (side1 > 0 && !ops->start) {
		kill(side1, SIGKILL);
		waitpid(side1, NULL, 0);
	}
	ops->teardown();
	return v;
}

static double measure(const struct ipc_ops *ops, const struct row_plan *row)
{
	double result = 0;
	int pipe_fd[2];

	if ((only && strcmp(only, ops->name) != 0) || ops->missing || (ops->max_bytes && row->bytes > ops->max_bytes) ||
	    (row->kind == MANY && !ops->many) || pipe(pipe_fd))
		return 0;
	memset(shared, 0, sizeof(*shared));
	const pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(60);
		bench_pin(0);
		result = row->kind == MANY ? ops->many(row->count, row->depth, 0.5) / 1000
					   : measure_pair(ops, row);
		if (write(pipe_fd[1], &result, sizeof(result)) < 0)
			_exit(1);
		_exit(0);
	}
	close(pipe_fd[1]);
	if (read(pipe_fd[0], &result, sizeof(result)) != sizeof(result))
		result = 0;
	close(pipe_fd[0]);
	waitpid(pid, NULL, 0);
	return result;
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
	struct bench_row out = { .name = row->name, .unit = row->unit, .target = row->target };

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
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
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
