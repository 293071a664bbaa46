/*
 * stack_bench - dumps of a process with 1 to 1000 blocked threads, 30 frames deep.
 *
 *	stack_bench [--json FILE] [--rounds N]
 *
 * capture   PEEK and unwinding of all threads by a thread of the process itself (what the
 *           dumper does), beside `eu-stack -q -p`, which prints no names either
 * outside   the same from another process
 * report    `sigdump dump -p`, named and grouped, beside `eu-stack -p` and gdb
 *
 * Threads wait in a condition variable, epoll_wait and read, in equal parts.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/as/as_peek.h"
#include "tests/bench/bench.h"

enum { DEPTH = 28 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static int quiet_pipe[2], quiet_set;

struct answer {
	_Atomic int ready;
	double first_ms, warm_ms;
	unsigned captured, complete;
};
static struct answer *answer;

__attribute__((noinline)) static int deeper(int kind, int left)
{
	volatile char local[64];
	char c;
	struct epoll_event event;

	local[0] = (char)left;
	if (left)
		return deeper(kind, left - 1) + local[0];
	if (kind == 0) {
		pthread_mutex_lock(&lock);
		while (1)
			pthread_cond_wait(&never, &lock);
	}
	if (kind == 1)
		return epoll_wait(quiet_set, &event, 1, -1) + local[0];
	return (int)read(quiet_pipe[0], &c, 1) + local[0];
}

static void *wait_deep(void *arg)
{
	deeper((int)(intptr_t)arg % 3, DEPTH);
	return NULL;
}

/* Looks at every thread of `pid` (0: this process) but the caller; ms it took. */
static double look(struct as_peek *peek, pid_t pid, unsigned *captured, unsigned *complete)
{
	static struct as_thread t;
	static pid_t tid[16384];
	size_t n = 0;
	unsigned seen = 0, whole = 0;
	const uint64_t start = bench_now_ns();

	as_peek_refresh(peek);
	as_proc_tids(peek->proc_fd, tid, sizeof(tid) / sizeof(tid[0]), &n);
	for (size_t i = 0; i < n; i++) {
		if (!pid && tid[i] == gettid())
			continue;
		as_peek_thread(peek, tid[i], &t);
		seen += t.captured == AS_CAPTURED_PEEK;
		whole += t.captured == AS_CAPTURED_PEEK && t.end == AS_END_BOTTOM && t.frames >= 3;
	}
	*captured = seen;
	*complete = whole;
	return (double)(bench_now_ns() - start) / 1e6;
}

/* The process that is looked at: also looks at itself, then waits to be killed. */
static void subject(unsigned threads)
{
	pthread_attr_t attr;
	pthread_t id;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	quiet_set = epoll_create1(EPOLL_CLOEXEC);
	if (pipe(quiet_pipe))
		_exit(1);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&id, &attr, wait_deep, (void *)(intptr_t)i))
			_exit(1);
	usleep(100000 + threads * 200); /* until all sleep */
	struct as_peek *peek = mmap(NULL, as_peek_bytes(), PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	double warm[9];
	as_peek_init(peek, 0);
	answer->first_ms = look(peek, 0, &answer->captured, &answer->complete);
	for (unsigned i = 0; i < 9; i++)
		warm[i] = look(peek, 0, &answer->captured, &answer->complete);
	answer->warm_ms = bench_median(warm, 9);
	answer->ready = 1;
	for (;;)
		pause();
}

static pid_t start_subject(unsigned threads)
{
	memset(answer, 0, sizeof(*answer));
	const pid_t pid = fork();
	if (pid == 0)
		subject(threads);
	while (!answer->ready && waitpid(pid, NULL, WNOHANG) == 0)
		usleep(1000);
	return answer->ready ? pid : -1;
}

/* A whole command, its output thrown away; ms, 0 when it is not there or fails. */
static double run(char *const *argv)
{
	const uint64_t start = bench_now_ns();
	int status;
	const pid_t pid = fork();

	if (pid == 0) {
		const int null = open("/dev/null", O_RDWR);

		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		execvp(argv[0], argv);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return 0;
	return (double)(bench_now_ns() - start) / 1e6;
}

struct figures { double v[BENCH_ROUNDS_MAX]; unsigned n; };

static void add(struct figures *f, double v)
{
	if (v > 0 && f->n < BENCH_ROUNDS_MAX)
		f->v[f->n++] = v;
}

static struct bench_row compare(const char *name, const char *peer, const struct figures *ours,
				const struct figures *theirs, double target)
{
	struct bench_row row = { .name = name, .unit = "ms", .peer = theirs->n ? peer : NULL,
				 .target = target, .gated = theirs->n > 0, .rounds = ours->n };

	row.ours = bench_median(ours->v, ours->n);
	row.theirs = bench_median(theirs->v, theirs->n);
	if (row.ours > 0)
		row.ratio = row.theirs / row.ours;
	row.note = theirs->n ? NULL : "peer not installed: elfutils, gdb";
	return row;
}

static unsigned measure(unsigned threads, unsigned rounds, const char *sigdump, struct bench_row *row)
{
	static char names[5][4][32];
	static unsigned used;
	struct figures warm = { { 0 }, 0 }, first = warm, outside = warm, eu_quiet = warm, eu = warm,
		       gdb = warm, report = warm;
	char pid_text[16];
	struct as_peek *peek = mmap(NULL, as_peek_bytes(), PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	for (unsigned i = 0; i < rounds; i++) {
		unsigned captured, complete;
		const pid_t pid = start_subject(threads);

		if (pid < 0)
			return 0;
		if (answer->captured < threads)
			printf("    %u threads: only %u captured\n", threads, answer->captured);
		snprintf(pid_text, sizeof(pid_text), "%d", pid);
		add(&first, answer->first_ms);
		add(&warm, answer->warm_ms);
		as_peek_init(peek, pid);
		add(&outside, look(peek, pid, &captured, &complete));
		as_peek_fini(peek);
		add(&report, run((char *[]){ (char *)sigdump, "dump", "-p", pid_text, NULL }));
		add(&eu_quiet, run((char *[]){ "eu-stack", "-q", "-p", pid_text, NULL }));
		add(&eu, run((char *[]){ "eu-stack", "-p", pid_text, NULL }));
		if (i == 0)
			add(&gdb, run((char *[]){ "gdb", "-p", pid_text, "-batch", "-ex",
						  "thread apply all bt", NULL }));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	munmap(peek, as_peek_bytes());
	const char *what[] = { "capture", "first", "outside", "report" };
	for (unsigned i = 0; i < 4; i++)
		snprintf(names[used][i], sizeof(names[used][i]), "%s%u", what[i], threads);
	row[0] = compare(names[used][0], "eu-stack -q", &warm, &eu_quiet, 2);
	row[1] = compare(names[used][1], "eu-stack -q", &first, &eu_quiet, 0);
	row[2] = compare(names[used][2], "eu-stack -q", &outside, &eu_quiet, 0);
	row[3] = compare(names[used][3], "eu-stack", &report, &eu, 5);
	printf("    %4u threads: capture %.2f ms (first %.2f, outside %.2f), report %.1f ms;"
	       " eu-stack -q %.1f, eu-stack %.1f, gdb %.0f ms; %u of %u stacks complete\n",
	       threads, row[0].ours, row[1].ours, row[2].ours, row[3].ours, row[0].theirs,
	       row[3].theirs, bench_median(gdb.v, gdb.n), answer->complete, threads);
	fflush(stdout);
	used++;
	return 4;
}

int main(int argc, char **argv)
{
	static const unsigned counts[] = { 1, 16, 100, 1000 };
	struct bench_row row[4 * 4];
	unsigned rows = 0, rounds = 3;
	const char *json = NULL;
	char sigdump[4096];

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--json") == 0)
			json = argv[i + 1];
		else if (strcmp(argv[i], "--rounds") == 0)
			rounds = (unsigned)atoi(argv[i + 1]);
	}
	/* sigdump lies in ../bin of the bench's directory */
	const ssize_t n = readlink("/proc/self/exe", sigdump, sizeof(sigdump) - 32);
	if (n <= 0)
		return 1;
	sigdump[n] = '\0';
	for (unsigned i = 0; i < 2; i++)
		*strrchr(sigdump, '/') = '\0';
	strcat(sigdump, "/bin/sigdump");
	answer = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (answer == MAP_FAILED)
		return 1;
	for (unsigned i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		rows += measure(counts[i], rounds, sigdump, row + rows);
	bench_print("stack", row, rows);
	return json ? bench_write("stack", json, bench_placement(bench_line_ns()), row, rows) != 0 : 0;
}
