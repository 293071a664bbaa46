/*
 * idle_bench - what the library costs a program that nobody dumps.
 *
 *	idle_bench [--json FILE] [--rounds PAIRS]
 *
 * pss_*    memory: proportional set size with the library less that without, of a process of one
 *          thread, of one with threads (and so a dumper), and of that after its first dump
 * startup  a program that does nothing, from spawn to its end, with and without
 * cpu_*    CPU time of whole programs that allocate much, with and without, in pairs, turn about:
 *          the median of the ratios of the pairs, as per cent above 1. cpu_none pairs bare with
 *          bare: what this machine calls a difference. malloc_dumper is one thread with a dumper
 *          beside it (it has registered a heartbeat): a pthread as helper would take it off the
 *          C library's single-threaded paths, and would show here.
 */
#include <fcntl.h>
#include <pthread.h>
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

enum { PAIRS = 21, PAIRS_MAX = 200, STARTS = 200, ROWS = 32, PSS_ROUNDS = 5 };

static struct bench_row row[ROWS];
static unsigned rows, pairs = PAIRS;
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
	enum { HELD = 512, TURNS = 12000000 };
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

/* The median ratio with:without of pairs run turn about, as per cent above 1. */
static void compare_cpu(const char *name, char *const *argv, bool none)
{
	static double ratio[PAIRS_MAX];
	double bare = 0;
	unsigned n = 0;

	cpu_of(argv, false);
	for (unsigned i = 0; i < pairs && i < PAIRS_MAX; i++) {
		double s[2];

		/* who is first changes: caches and clocks favour one of them */
		s[i & 1] = cpu_of(argv, (i & 1) && !none);
		s[!(i & 1)] = cpu_of(argv, !(i & 1) && !none);
		if (s[0] <= 0 || s[1] <= 0)
			break;
		bare += s[0];
		ratio[n++] = s[1] / s[0];
	}
	if (!n) {
		within(name, "%", 0, none ? 0 : 1, 0, "program not installed");
		return;
	}
	const double above = (bench_percentile(ratio, n, 0.5) - 1) * 100;

	printf("    %-18s %+.2f %% (quartiles %+.2f, %+.2f) of %.3f s, %u pairs\n", name, above,
	       (bench_percentile(ratio, n, 0.25) - 1) * 100,
	       (bench_percentile(ratio, n, 0.75) - 1) * 100, bare / n, n);
	fflush(stdout);
	within(name, "%", above, none ? 0 : 1, n, NULL);
}

/* ---- redis: two servers, the same requests turn about ---------------------------------------- */

static double cpu_of_threads(pid_t pid)
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

static double requests(pid_t pid, const char *socket)
{
	const double before = cpu_of_threads(pid);

	if (cpu_of((char *[]){ "redis-benchmark", "-s", (char *)socket, "-t", "set,lpush", "-n", "15000", "-d",
			       "200", "-r", "10000", "-q", NULL },
		   false) <= 0)
		return 0;
	return cpu_of_threads(pid) - before;
}

static void compare_redis(void)
{
	static double ratio[PAIRS_MAX];
	char socket[2][256];
	pid_t pid[2];
	unsigned n = 0;

	for (unsigned with = 0; with < 2; with++) {
		snprintf(socket[with], sizeof(socket[with]), "%s/redis%u", scratch, with);
		pid[with] = start((char *[]){ "redis-server", "--port", "0", "--unixsocket", socket[with],
					      "--save", "", "--dir", scratch, NULL },
				  with, -1);
		for (unsigned i = 0; pid[with] > 0 && i < 500 && access(socket[with], F_OK); i++)
			usleep(10000);
	}
	for (unsigned i = 0; pid[0] > 0 && pid[1] > 0 && i < pairs && i < PAIRS_MAX; i++) {
		double s[2];

		s[i & 1] = requests(pid[i & 1], socket[i & 1]);
		s[!(i & 1)] = requests(pid[!(i & 1)], socket[!(i & 1)]);
		if (s[0] <= 0 || s[1] <= 0)
			break;
		if (i) /* the first fills the heaps */
			ratio[n++] = s[1] / s[0];
	}
	for (unsigned with = 0; with < 2; with++)
		if (pid[with] > 0) {
			kill(pid[with], SIGKILL);
			waitpid(pid[with], NULL, 0);
		}
	const double above = n ? (bench_percentile(ratio, n, 0.5) - 1) * 100 : 0;

	printf("    %-18s %+.2f %%, %u pairs\n", "cpu_redis", above, n);
	within("cpu_redis", "%", above, 1, n, n ? NULL : "redis-server, redis-benchmark: not installed");
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
				 "for i in range(900000): d[i%5000]=[str(i),(i,)*3]\n"
				 "s=sorted(str(i) for i in range(200000))\n",
				 NULL };
	char *const python_threads[] = { "/usr/bin/python3", "-S", "-c",
					 "import threading\n"
					 "def f():\n"
					 "  d={}\n"
					 "  for i in range(150000): d[i%5000]=[str(i),(i,)*3]\n"
					 "t=[threading.Thread(target=f) for i in range(4)]\n"
					 "[x.start() for x in t]\n"
					 "[x.join() for x in t]\n",
					 NULL };
	char *const perl[] = { "perl", "-e",
			       "my %h; for my $i (1..500000){ $h{$i%7000}=\"x$i\" x 3;"
			       " push @{$a[$i%100]}, [$i,$i+1]; } my @s=sort keys %h;",
			       NULL };
	char *const sqlite[] = { "sqlite3", ":memory:",
				 "create table t(a integer primary key,b text,c text);"
				 "with recursive n(i) as (select 1 union all select i+1 from n where i<250000)"
				 " insert into t select i,hex(i*7919),'x'||i from n;"
				 "create index x on t(b);"
				 "select count(*),max(b) from t where c like '%9';",
				 NULL };

	compare_cpu("cpu_none", (char *[]){ self, "--malloc", NULL }, true);
	compare_cpu("cpu_malloc", (char *[]){ self, "--malloc", NULL }, false);
	compare_cpu("cpu_malloc_dumper", (char *[]){ self, "--malloc-dumper", NULL }, false);
	compare_cpu("cpu_malloc_threads", (char *[]){ self, "--malloc-threads", NULL }, false);
	compare_cpu("cpu_python3", python, false);
	compare_cpu("cpu_python3_threads", python_threads, false);
	compare_cpu("cpu_perl", perl, false);
	compare_cpu("cpu_sqlite3", sqlite, false);
	compare_redis();
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
			pairs = (unsigned)atoi(argv[i + 1]);
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
