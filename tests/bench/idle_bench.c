/*
 * idle_bench - what the library costs a program that nobody dumps.
 *
 *	idle_bench [--json FILE] [--rounds N]
 *
 * pss_*    memory: proportional set size with the library less that without, of a process of one
 *          thread, of one with threads (and so a dumper), and of that after its first dump
 * startup  a program that does nothing, from spawn to its end, with and without
 * cpu_*    CPU time of whole programs that allocate much, some 0.1 s long, in rounds of three runs:
 *          bare, with the library and bare again, in each of the six orders by turns. A round gives
 *          two ratios: with the library to the mean of the two bare ones, and the second bare one
 *          to the first, which is what this machine calls a difference. Of both the median over all
 *          rounds, as per cent above 1, with its 95 % interval by the sign test: that holds for
 *          whatever distribution the noise has. cpu_none is bare throughout. malloc_dumper is one
 *          thread with a dumper beside it (it has registered a heartbeat): a pthread as helper
 *          would take it off the C library's single-threaded paths, and would show here.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sigdump/sigdump.h"
#include "tests/bench/bench.h"

enum { ROUNDS = 60, ROUNDS_MAX = 600, STARTS = 200, ROWS = 32, PSS_ROUNDS = 5, NOTE = 128 };

static struct bench_row row[ROWS];
static unsigned rows, rounds = ROUNDS;
static char library[4096], self[4096], scratch[] = "/tmp/idle_bench.XXXXXX";

extern char **environ;

/* A row of "at most so much"; what is not above nothing is within any limit. */
static void within(const char *name, const char *unit, double ours, double limit, unsigned n,
		   const char *note)
{
	const double at_least = limit / 1000;

	row[rows++] = (struct bench_row){ .name = name, .unit = unit, .peer = "limit",
					  .ours = n && ours < at_least ? at_least : ours,
					  .theirs = limit, .target = limit > 0 ? 1 : 0,
					  .ratio = limit > 0 ? limit / (ours > at_least ? ours : at_least) : 0,
					  .gated = n > 0, .rounds = n, .note = note };
}

/* ---- programs of our own ------------------------------------------------------------------- */

/* Blocks of many sizes, held for a while, given back in another order. */
static void *churn(void *arg)
{
	enum { HELD = 512, TURNS = 8000000 };
	const unsigned turns = arg ? TURNS / 4 : TURNS;
	static __thread char *held[HELD];
	uint64_t state = 88172645463325252u + (uintptr_t)arg;

	for (unsigned i = 0; i < turns; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		char **at = &held[state % HELD];

		free(*at);
		*at = malloc(16 + (state >> 20) % 400);
		**at = 1;
	}
	for (unsigned i = 0; i < HELD; i++)
		free(held[i]);
	return NULL;
}

static void churn_threads(unsigned n)
{
	pthread_t id[16];

	for (unsigned i = 0; i < n; i++)
		pthread_create(&id[i], NULL, churn, (void *)(uintptr_t)(i + 1));
	for (unsigned i = 0; i < n; i++)
		pthread_join(id[i], NULL);
}

static void *sleep_on(void *arg)
{
	for (;;)
		pause();
	return arg;
}

/* Waits to be measured: says so by a byte on stdout. */
static void be_still(bool threads, bool dump)
{
	pthread_t id;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned i = 0; threads && i < 2; i++)
		pthread_create(&id, NULL, sleep_on, NULL);
	if (dump)
		sigdump_dump();
	usleep(100000);
	if (write(1, "x", 1) == 1)
		sleep_on(NULL);
	_exit(1);
}

static void own_program(int argc, char **argv)
{
	if (argc != 2)
		return;
	if (strcmp(argv[1], "--nothing") == 0)
		_exit(0);
	if (strcmp(argv[1], "--malloc") == 0)
		churn(NULL);
	else if (strcmp(argv[1], "--malloc-threads") == 0)
		churn_threads(4);
	else if (strcmp(argv[1], "--malloc-dumper") == 0) {
		sigdump_beat_add("bench", 0);
		churn(NULL);
	} else if (strcmp(argv[1], "--still-plain") == 0)
		be_still(false, false);
	else if (strcmp(argv[1], "--still-dumper") == 0)
		be_still(true, false);
	else if (strcmp(argv[1], "--still-dumped") == 0)
		be_still(true, true);
	else
		return;
	_exit(0);
}

/* ---- starting ------------------------------------------------------------------------------ */

/* The environment, with the library or without. */
static char **environment(bool with)
{
	static char *made[2][1024], preload[4200], feed[256];
	unsigned n = 0;

	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", library);
	snprintf(feed, sizeof(feed), "SHMSCOPE_FEED=%s", scratch);
	for (char **e = environ; *e && n < 1000; e++)
		if (strncmp(*e, "LD_PRELOAD=", 11) != 0 && strncmp(*e, "SHMSCOPE_", 9) != 0)
			made[with][n++] = *e;
	made[with][n++] = feed;
	if (with)
		made[with][n++] = preload;
	made[with][n] = NULL;
	return made[with];
}

static pid_t start(char *const *argv, bool with, int out)
{
	posix_spawn_file_actions_t to;
	pid_t pid;

	posix_spawn_file_actions_init(&to);
	posix_spawn_file_actions_addopen(&to, 0, "/dev/null", O_RDONLY, 0);
	if (out >= 0)
		posix_spawn_file_actions_adddup2(&to, out, 1);
	else
		posix_spawn_file_actions_addopen(&to, 1, "/dev/null", O_WRONLY, 0);
	const int err = posix_spawnp(&pid, argv[0], &to, NULL, argv, environment(with));
	posix_spawn_file_actions_destroy(&to);
	return err ? -1 : pid;
}

/* ---- CPU time ------------------------------------------------------------------------------- */

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* CPU time of a whole run; 0 when it is not there or fails. */
static double cpu_of(char *const *argv, bool with)
{
	struct rusage use;
	int status;
	const pid_t pid = start(argv, with, -1);

	if (pid < 0 || wait4(pid, &status, 0, &use) != pid || !WIFEXITED(status) || WEXITSTATUS(status))
		return 0;
	return seconds(use.ru_utime) + seconds(use.ru_stime);
}

/* One run, its CPU time in s, 0 when it is not there or fails. */
typedef double (*run_fn)(char *const *argv, bool with);

/* The median of ratios as per cent above 1, and between which two of them it lies at 95 %. */
struct median {
	double at, from, to;
};

static struct median median_of(double *ratio, unsigned n)
{
	double half = 0; /* 1.96 standard deviations of a fair coin's n throws: 0.98 roots of n */

	while (half * half < 0.98 * 0.98 * n)
		half += 0.125;
	const double middle = (n - 1) / 2.0, at[3] = { middle, middle - half - 0.5, middle + half + 0.5 };
	double v[3];

	for (unsigned i = 0; i < 3; i++) {
		const double part = n > 1 ? at[i] / (n - 1) : 0;

		v[i] = (bench_percentile(ratio, n, part < 0 ? 0 : part > 1 ? 1 : part) - 1) * 100;
	}
	return (struct median){ v[0], v[1], v[2] };
}

/* Rounds of bare, with, bare, in all orders; returns how many there were. */
static unsigned run_rounds(run_fn run, char *const *argv, bool none, unsigned most, double *ratio,
			   double *control, double *bare_s)
{
	static const unsigned char order[6][3] = { { 0, 1, 2 }, { 2, 1, 0 }, { 1, 2, 0 },
						   { 0, 2, 1 }, { 1, 0, 2 }, { 2, 0, 1 } };
	unsigned n = 0;

	run(argv, false);
	for (*bare_s = 0; n < most && n < ROUNDS_MAX; n++) {
		double s[3];

		for (unsigned i = 0; i < 3; i++) {
			const unsigned which = order[n % 6][i];

			s[which] = run(argv, which == 1 && !none);
		}
		if (s[0] <= 0 || s[1] <= 0 || s[2] <= 0)
			break;
		ratio[n] = s[1] / ((s[0] + s[2]) / 2);
		control[n] = s[2] / s[0];
		*bare_s += (s[0] + s[2]) / 2;
	}
	*bare_s /= n ? n : 1;
	return n;
}

static void compare(const char *name, run_fn run, char *const *argv, unsigned most, bool none)
{
	static double ratio[ROUNDS_MAX], control[ROUNDS_MAX];
	static char notes[ROWS][NOTE];
	char *note = notes[rows];
	double bare_s;
	const unsigned n = run_rounds(run, argv, none, most, ratio, control, &bare_s);

	if (!n) {
		within(name, "%", 0, none ? 0 : 1, 0, "program not installed");
		return;
	}
	const struct median ours = median_of(ratio, n), bare = median_of(control, n);

	snprintf(note, NOTE, "%+.2f to %+.2f; bare to bare %+.2f (%+.2f to %+.2f)", ours.from, ours.to,
		 bare.at, bare.from, bare.to);
	printf("    %-18s %+.2f %%: %s; %.3f s, %u rounds\n", name, ours.at, note, bare_s, n);
	fflush(stdout);
	within(name, "%", ours.at, none ? 0 : 1, n, note);
}

/* What has one thread stays on one CPU, and so do its caches. */
static void compare_one(const char *name, char *const *argv, bool none)
{
	cpu_set_t before;

	sched_getaffinity(0, sizeof(before), &before);
	bench_pin(1);
	compare(name, cpu_of, argv, rounds, none);
	sched_setaffinity(0, sizeof(before), &before);
}

/* ---- redis: a server of its own for each run ------------------------------------------------ */

static double cpu_of_thread(pid_t pid)
{
	char path[64];
	double ns = 0;
	unsigned long long ran;

	/* its first thread does the work; the others are at rest */
	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", pid, pid);
	FILE *f = fopen(path, "re");
	if (f && fscanf(f, "%llu", &ran) == 1)
		ns = (double)ran;
	if (f)
		fclose(f);
	return ns / 1e9;
}

/* What a server takes for the same requests; it has a CPU of its own. */
static double cpu_of_redis(char *const *argv, bool with)
{
	cpu_set_t before_set;
	char socket[256];
	double s = 0;

	(void)argv;
	snprintf(socket, sizeof(socket), "%s/redis", scratch);
	unlink(socket);
	sched_getaffinity(0, sizeof(before_set), &before_set);
	bench_pin(1);
	const pid_t pid = start((char *[]){ "redis-server", "--port", "0", "--unixsocket", socket, "--save",
					    "", "--dir", scratch, NULL },
				with, -1);
	bench_pin(0);
	for (unsigned i = 0; pid > 0 && i < 1000 && access(socket, F_OK); i++)
		usleep(2000);
	const double before = cpu_of_thread(pid);

	if (pid > 0 &&
	    cpu_of((char *[]){ "redis-benchmark", "-s", socket, "-t", "set,lpush", "-n", "60000", "-d",
			       "200", "-r", "10000", "-P", "4", "-q", NULL },
		   false) > 0)
		s = cpu_of_thread(pid) - before;
	sched_setaffinity(0, sizeof(before_set), &before_set);
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return s;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static double pss_of(pid_t pid)
{
	char path[64], line[256];
	double kib = 0;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Pss: %lf", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

static double pss_still(const char *option, bool with)
{
	int out[2];
	char byte;
	double kib = 0;

	if (pipe2(out, O_CLOEXEC))
		return 0;
	const pid_t pid = start((char *[]){ self, (char *)option, NULL }, with, out[1]);
	close(out[1]);
	if (pid > 0 && read(out[0], &byte, 1) == 1)
		kib = pss_of(pid);
	close(out[0]);
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return kib;
}

static void measure_memory(const char *name, const char *option, double limit)
{
	double more[PSS_ROUNDS];

	for (unsigned i = 0; i < PSS_ROUNDS; i++)
		more[i] = pss_still(option, true) - pss_still(option, false);
	const double kib = bench_median(more, PSS_ROUNDS);
	printf("    %-18s %.0f KiB\n", name, kib);
	within(name, "KiB", kib, limit, PSS_ROUNDS, limit > 0 ? NULL : "told for information");
}

/* ---- start-up --------------------------------------------------------------------------------- */

static double start_ms(bool with)
{
	const uint64_t from = bench_now_ns();
	const pid_t pid = start((char *[]){ self, "--nothing", NULL }, with, -1);

	waitpid(pid, NULL, 0);
	return (double)(bench_now_ns() - from) / 1e6;
}

static void measure_startup(void)
{
	static double more[STARTS];

	for (unsigned i = 0; i < STARTS; i++) {
		double ms[2];

		ms[i & 1] = start_ms(i & 1);
		ms[!(i & 1)] = start_ms(!(i & 1));
		more[i] = ms[1] - ms[0];
	}
	const double ms = bench_percentile(more, STARTS, 0.5);
	printf("    %-18s %.3f ms\n", "startup", ms);
	within("startup", "ms", ms, 1, STARTS, NULL);
}

/* ---- all of it --------------------------------------------------------------------------------- */

static void measure_cpu(void)
{
	char *const python[] = { "/usr/bin/python3", "-S", "-c",
				 "d={}\n"
				 "for i in range(500000): d[i%5000]=[str(i),(i,)*3]\n"
				 "s=sorted(str(i) for i in range(120000))\n",
				 NULL };
	char *const python_threads[] = { "/usr/bin/python3", "-S", "-c",
					 "import threading\n"
					 "def f():\n"
					 "  d={}\n"
					 "  for i in range(130000): d[i%5000]=[str(i),(i,)*3]\n"
					 "t=[threading.Thread(target=f) for i in range(4)]\n"
					 "[x.start() for x in t]\n"
					 "[x.join() for x in t]\n",
					 NULL };
	char *const perl[] = { "perl", "-e",
			       "my %h; for my $i (1..200000){ $h{$i%7000}=\"x$i\" x 3;"
			       " push @{$a[$i%100]}, [$i,$i+1]; } my @s=sort keys %h;",
			       NULL };
	char *const sqlite[] = { "sqlite3", ":memory:",
				 "create table t(a integer primary key,b text,c text);"
				 "with recursive n(i) as (select 1 union all select i+1 from n where i<250000)"
				 " insert into t select i,hex(i*7919),'x'||i from n;"
				 "create index x on t(b);"
				 "select count(*),max(b) from t where c like '%9';",
				 NULL };

	compare_one("cpu_none", (char *[]){ self, "--malloc", NULL }, true);
	compare_one("cpu_malloc", (char *[]){ self, "--malloc", NULL }, false);
	compare_one("cpu_malloc_dumper", (char *[]){ self, "--malloc-dumper", NULL }, false);
	compare("cpu_malloc_threads", cpu_of, (char *[]){ self, "--malloc-threads", NULL }, rounds, false);
	compare_one("cpu_python3", python, false);
	compare("cpu_python3_threads", cpu_of, python_threads, rounds, false);
	compare_one("cpu_perl", perl, false);
	compare_one("cpu_sqlite3", sqlite, false);
	/* a whole server for each run: fewer */
	compare("cpu_redis", cpu_of_redis, NULL, rounds / 2, false);
}

/* The library lies beside the bench's directory. */
static bool find_ours(void)
{
	char base[4000];
	const ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0 || n >= (ssize_t)sizeof(base))
		return false;
	self[n] = '\0';
	memcpy(base, self, (size_t)n + 1);
	for (unsigned i = 0; i < 2; i++)
		*strrchr(base, '/') = '\0';
	snprintf(library, sizeof(library), "%s/lib/libsigdump.so", base);
	return access(library, R_OK) == 0 && mkdtemp(scratch);
}

int main(int argc, char **argv)
{
	const char *json = NULL;

	own_program(argc, argv);
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--json") == 0)
			json = argv[i + 1];
		else if (strcmp(argv[i], "--rounds") == 0)
			rounds = (unsigned)atoi(argv[i + 1]);
	}
	if (!find_ours())
		return 1;
	measure_memory("pss_plain", "--still-plain", 300);
	measure_memory("pss_dumper", "--still-dumper", 300);
	measure_memory("pss_dumped", "--still-dumped", 0);
	measure_startup();
	measure_cpu();
	cpu_of((char *[]){ "rm", "-rf", scratch, NULL }, false);
	bench_print("idle", row, rows);
	return json && bench_write("idle", json, bench_placement(bench_line_ns()), row, rows) != 0;
}
