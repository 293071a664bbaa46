/*
 * stack_bench - dumps of a process with 1 to 10 000 threads, 30 frames deep.
 *
 *	stack_bench [--json FILE] [--rounds N] [--threads 1|16|100|1000]    (only that many)
 *
 * captureN  PEEK and unwinding of N threads by a thread of the process itself (what the dumper
 *           does), warm; firstN the first time; outsideN from another process; all beside
 *           `eu-stack -q -p`, which prints no names either
 * reportN   `sigdump dump -p`, the whole command, named and grouped, of a process without the
 *           library, beside `eu-stack -p`, `eu-stack -i -s -p` and gdb. The last two name lines and
 *           inlined calls as ours does (of the C library only with --lines); `eu-stack -p` reads no
 *           DWARF. Of a single thread the target is below what it takes to start any program: a
 *           fifth of eu-stack's time is less than `sigdump --version` takes, which stands beside it
 *           as start
 * askedN    the same where the library is loaded and answers by itself; dumpN is its own part, from
 *           the request to the last record
 * pauseN    what a thread that runs misses by the handler of the library's dump, 99th percentile, in
 *           us; beside it the longest gap during `eu-stack -q -p`. In a virtual machine the limit is
 *           out of reach of any signal (the interrupt that tells its CPU costs 13 us there). So the
 *           same thread is sent a signal with an empty handler after each dump, and then none, for
 *           as long as the dump took: pause_p50_N and pause_p99_N beside these. A blocked thread
 *           misses nothing: wokenN counts those that a look woke
 * linearN   time per thread with N threads, beside that with 1000
 * symbols   5000 program counters with inlined calls (stack_symbols.h)
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"
#include "tests/bench/stack_subject.h"
#include "tests/bench/stack_symbols.h"

enum { ROWS = 112, DUMPS = 100, MANY = 1000, PAUSES = 8 * SUBJECT_DUMPS };

static struct bench_row row[ROWS];
static unsigned rows, rounds = 3;
static char sigdump[4096], library[4096], feeds[] = "/tmp/stack_bench.XXXXXX";

struct figures {
	double v[BENCH_ROUNDS_MAX];
	unsigned n;
};

static void add(struct figures *f, double v)
{
	if (v > 0 && f->n < BENCH_ROUNDS_MAX)
		f->v[f->n++] = v;
}

static double middle(const struct figures *f)
{
	return bench_median(f->v, f->n);
}

static const char *name(const char *what, unsigned threads)
{
	static char text[ROWS][24];
	static unsigned n;
	char *at = text[n++ % ROWS];

	snprintf(at, sizeof(text[0]), "%s%u", what, threads);
	return at;
}

/* A row beside a peer; without one it says so. */
static void versus(const char *what, unsigned threads, const char *peer, double ours, double theirs,
		   double target, unsigned n)
{
	if (rows < ROWS)
		row[rows++] = (struct bench_row){ .name = name(what, threads), .unit = "ms", .peer = peer,
						  .ours = ours, .theirs = theirs, .target = target,
						  .ratio = ours > 0 ? theirs / ours : 0,
						  .gated = theirs > 0 && ours > 0, .rounds = n,
						  .note = theirs > 0 ? NULL : "peer not installed" };
}

/* A row beside a limit that stands in no program. */
static void within(const char *what, unsigned threads, const char *unit, double ours, double limit,
		   unsigned n)
{
	if (rows < ROWS)
		row[rows++] = (struct bench_row){ .name = name(what, threads), .unit = unit, .peer = "limit",
						  .ours = ours, .theirs = limit, .target = 1,
						  .ratio = ours > 0 ? limit / ours : 0, .gated = ours > 0,
						  .rounds = n };
}

/* A whole command, its output thrown away; ms, 0 when it is not there or fails. */
static double run(double *mb, char *const *argv)
{
	const uint64_t start = bench_now_ns();
	struct rusage use;
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
	wait4(pid, &status, 0, &use);
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 127)
		return 0;
	if (mb)
		*mb = (double)use.ru_maxrss / 1024;
	return (double)(bench_now_ns() - start) / 1e6;
}

static unsigned woken(const struct subject *s)
{
	/* relaxed: a counter */
	return atomic_load_explicit(&s->answer->woken, memory_order_relaxed);
}

static double look_from_outside(pid_t pid)
{
	struct as_peek *peek = mmap(NULL, as_peek_bytes(), PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	unsigned captured, complete;

	as_peek_init(peek, pid);
	const double ms = subject_look(peek, pid, &captured, &complete);
	as_peek_fini(peek);
	munmap(peek, as_peek_bytes());
	return ms;
}

/* ---- beside the peers ------------------------------------------------------------------------ */

struct plain {
	struct figures warm, first, outside, start, report, eu_quiet, eu, eu_full, gdb;
	unsigned woken_by_us, woken_by_eu;
	double mb;
};

static bool measure_plain(unsigned threads, bool with_gdb, struct plain *f)
{
	struct subject s;
	char pid[16];

	if (!subject_start(&s, threads, NULL, 0, NULL))
		return false;
	snprintf(pid, sizeof(pid), "%d", s.pid);
	add(&f->first, s.answer->first_ms);
	add(&f->warm, s.answer->warm_ms);
	if (s.answer->complete < threads)
		printf("    %u threads: only %u stacks complete\n", threads, s.answer->complete);
	add(&f->outside, look_from_outside(s.pid));
	add(&f->start, run(NULL, (char *[]){ sigdump, "--version", NULL }));
	add(&f->report, run(&f->mb, (char *[]){ sigdump, "dump", "-p", pid, NULL }));
	f->woken_by_us += woken(&s);
	add(&f->eu_quiet, run(NULL, (char *[]){ "eu-stack", "-q", "-p", pid, NULL }));
	add(&f->eu, run(NULL, (char *[]){ "eu-stack", "-p", pid, NULL }));
	f->woken_by_eu = woken(&s) - f->woken_by_us;
	if (with_gdb) { /* slow: once */
		add(&f->eu_full, run(NULL, (char *[]){ "eu-stack", "-i", "-s", "-p", pid, NULL }));
		add(&f->gdb, run(NULL, (char *[]){ "gdb", "-nx", "-p", pid, "-batch", "-ex",
						   "thread apply all bt", NULL }));
	}
	subject_end(&s);
	return true;
}

static void plain_rows(unsigned threads, const struct plain *f)
{
	const double limit[] = { 0.5, 3 };

	versus("capture", threads, "eu-stack -q", middle(&f->warm), middle(&f->eu_quiet), 2, f->warm.n);
	if (threads == 16 || threads == 100)
		within("capture", threads, "ms", middle(&f->warm), limit[threads == 100], f->warm.n);
	versus("first", threads, "eu-stack -q", middle(&f->first), middle(&f->eu_quiet), 0, f->first.n);
	versus("outside", threads, "eu-stack -q", middle(&f->outside), middle(&f->eu_quiet), 0,
	       f->outside.n);
	versus("report", threads, "eu-stack", middle(&f->report), middle(&f->eu), 5, f->report.n);
	versus("start", threads, "eu-stack", middle(&f->start), middle(&f->eu), 0, f->start.n);
	versus("report", threads, "eu-stack -is", middle(&f->report), middle(&f->eu_full), 0,
	       f->eu_full.n);
	versus("report", threads, "gdb", middle(&f->report), middle(&f->gdb), 0, f->gdb.n);
	printf("    %4u threads: capture %.2f ms (first %.2f, outside %.2f), report %.1f ms (%.0f MB);"
	       " eu-stack -q %.1f, eu-stack %.1f, gdb %.0f ms; threads woken: %u by us, %u by eu-stack\n",
	       threads, middle(&f->warm), middle(&f->first), middle(&f->outside), middle(&f->report),
	       f->mb, middle(&f->eu_quiet), middle(&f->eu), middle(&f->gdb), f->woken_by_us,
	       f->woken_by_eu);
}

/* ---- with the library ------------------------------------------------------------------------- */

struct loaded {
	struct figures dump, asked, eu, eu_pause;
	double pause_us[PAUSES], empty_us[PAUSES], quiet_us[PAUSES];
	unsigned pauses;
};

static double gap_during(struct subject *s, char *const *argv)
{
	/* relaxed: as in stack_subject.c */
	atomic_store_explicit(&s->answer->gap_ns, 0, memory_order_relaxed);
	if (run(NULL, argv) <= 0)
		return 0;
	/* relaxed: as above */
	return (double)atomic_load_explicit(&s->answer->gap_ns, memory_order_relaxed) / 1e3;
}

static bool measure_loaded(unsigned threads, struct loaded *f)
{
	struct subject s;
	char pid[16];

	if (!subject_start(&s, threads, library, threads >= MANY ? DUMPS / 4 : DUMPS, feeds))
		return false;
	snprintf(pid, sizeof(pid), "%d", s.pid);
	add(&f->dump, s.answer->dump_ms);
	for (unsigned i = 0; i < s.answer->dumps && f->pauses < PAUSES; i++, f->pauses++) {
		f->pause_us[f->pauses] = s.answer->pause_us[i];
		f->empty_us[f->pauses] = s.answer->empty_us[i];
		f->quiet_us[f->pauses] = s.answer->quiet_us[i];
	}
	add(&f->asked, run(NULL, (char *[]){ sigdump, "dump", "-p", pid, NULL }));
	add(&f->eu_pause, gap_during(&s, (char *[]){ "eu-stack", "-q", "-p", pid, NULL }));
	subject_end(&s);
	return true;
}

/* What a running thread misses by us, by an empty handler, and by nobody. */
static void pause_rows(unsigned threads, struct loaded *f)
{
	static const struct {
		const char *row;
		double part;
	} of[] = { { "pause_p50_", 0.5 }, { "pause_p99_", 0.99 } };

	for (unsigned i = 0; i < 2; i++) {
		const double ours = bench_percentile(f->pause_us, f->pauses, of[i].part);
		const double empty = bench_percentile(f->empty_us, f->pauses, of[i].part);
		const double quiet = bench_percentile(f->quiet_us, f->pauses, of[i].part);

		versus(of[i].row, threads, "empty handler", ours, empty, 0, f->pauses);
		row[rows - 1].unit = "us";
		printf("    %4u threads: p%.0f of what the running thread misses in %u dumps: %.1f us;"
		       " by an empty handler %.1f (ours %.2f of it), by nobody %.1f\n",
		       threads, of[i].part * 100, f->pauses, ours, empty, ours / empty, quiet);
	}
}

static void loaded_rows(unsigned threads, struct loaded *f, const struct plain *plain)
{
	const double p99 = bench_percentile(f->pause_us, f->pauses, 0.99);

	versus("dump", threads, "eu-stack -q", middle(&f->dump), middle(&plain->eu_quiet), 0, f->dump.n);
	versus("asked", threads, "eu-stack", middle(&f->asked), middle(&plain->eu), 5,
	       f->asked.n);
	within("pause", threads, "us", p99, 10, f->pauses);
	versus("pause", threads, "eu-stack -q", p99, middle(&f->eu_pause), 0, f->pauses);
	row[rows - 1].unit = "us";
	pause_rows(threads, f);
	printf("    %4u threads: the library's dump %.2f ms, asked by sigdump %.1f ms; by eu-stack -q the"
	       " running thread misses %.0f us\n",
	       threads, middle(&f->dump), middle(&f->asked), middle(&f->eu_pause));
}

static bool measure(unsigned threads)
{
	static struct loaded loaded;
	struct plain plain = { .mb = 0 };

	memset(&loaded, 0, sizeof(loaded));
	for (unsigned i = 0; i < rounds; i++)
		if (!measure_plain(threads, i == 0, &plain) || !measure_loaded(threads, &loaded))
			return false;
	plain_rows(threads, &plain);
	loaded_rows(threads, &loaded, &plain);
	fflush(stdout);
	return true;
}

/* ---- thousands of threads ---------------------------------------------------------------------- */

struct scale {
	struct figures capture, report;
	double mb;
};

static bool measure_scale(unsigned threads, struct scale *f)
{
	struct subject s;
	char pid[16];

	for (unsigned i = 0; i < rounds; i++) {
		if (!subject_start(&s, threads, NULL, 0, NULL))
			return false;
		snprintf(pid, sizeof(pid), "%d", s.pid);
		add(&f->capture, s.answer->warm_ms);
		add(&f->report, run(&f->mb, (char *[]){ sigdump, "dump", "-p", pid, NULL }));
		subject_end(&s);
	}
	printf("    %5u threads: capture %.1f ms (%.1f us each), report %.1f ms (%.1f us each), %.0f MB\n",
	       threads, middle(&f->capture), middle(&f->capture) / threads * 1e3, middle(&f->report),
	       middle(&f->report) / threads * 1e3, f->mb);
	fflush(stdout);
	return true;
}

/* Time per thread: half as much again is called linear, on a machine with caches. */
static void linear_rows(unsigned threads, const struct figures *at, const struct figures *at_many,
			const char *what)
{
	const double each = middle(at) / threads * 1e3, one = middle(at_many) / MANY * 1e3;

	versus(what, threads, "itself, 1000", each, one, 1 / 1.5, at->n);
	row[rows - 1].unit = "us";
}

static bool measure_scales(void)
{
	static const unsigned counts[] = { 2000, 5000, 10000 };
	struct scale base = { .mb = 0 };

	if (!measure_scale(MANY, &base))
		return false;
	for (unsigned i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct scale f = { .mb = 0 };

		if (!measure_scale(counts[i], &f))
			return false;
		linear_rows(counts[i], &f.capture, &base.capture, "linear");
		linear_rows(counts[i], &f.report, &base.report, "linear_report");
	}
	return true;
}

/* ---- all of it ------------------------------------------------------------------------------------ */

/* sigdump and the library lie beside the bench's directory. */
static bool find_ours(void)
{
	char base[4000];
	const ssize_t n = readlink("/proc/self/exe", base, sizeof(base) - 1);

	if (n <= 0)
		return false;
	base[n] = '\0';
	for (unsigned i = 0; i < 2; i++)
		*strrchr(base, '/') = '\0';
	snprintf(sigdump, sizeof(sigdump), "%s/bin/sigdump", base);
	snprintf(library, sizeof(library), "%s/lib/libsigdump.so", base);
	return mkdtemp(feeds) != NULL;
}

static void remove_feeds(void)
{
	run(NULL, (char *[]){ "rm", "-rf", feeds, NULL });
}

int main(int argc, char **argv)
{
	static const unsigned counts[] = { 1, 16, 100, MANY };
	const char *json = NULL;
	unsigned only = 0;
	bool ok = true;

	subject_main(argc, argv);
	symbols_main(argc, argv);
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--json") == 0)
			json = argv[i + 1];
		else if (strcmp(argv[i], "--rounds") == 0)
			rounds = (unsigned)atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--threads") == 0)
			only = (unsigned)atoi(argv[i + 1]);
	}
	if (!find_ours())
		return 1;
	if (!only)
		rows += symbols_measure(rounds, row + rows);
	for (unsigned i = 0; ok && i < sizeof(counts) / sizeof(counts[0]); i++)
		ok = (only && only != counts[i]) || measure(counts[i]);
	ok = ok && (only || measure_scales());
	remove_feeds();
	if (!ok)
		printf("    a process to look at could not be started\n");
	bench_print("stack", row, rows);
	if (json && bench_write("stack", json, bench_placement(bench_line_ns()), row, rows))
		return 1;
	return !ok;
}
