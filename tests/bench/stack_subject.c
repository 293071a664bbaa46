#include "tests/bench/stack_subject.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include <x86intrin.h>

#include "sigdump/sigdump.h"
#include "tests/bench/bench.h"

enum { DEPTH = 28, TIDS = 32768, WARM = 9, LATE_NS = 200000000 };

static struct subject_answer *answer;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static int quiet_pipe[2], quiet_set;

static int wait_in(int kind)
{
	struct epoll_event event;
	char c;

	switch (kind) {
	case 0:
		return pthread_cond_wait(&never, &lock);
	case 1:
		return epoll_wait(quiet_set, &event, 1, -1);
	default:
		return (int)read(quiet_pipe[0], &c, 1);
	}
}

__attribute__((noinline)) static int deeper(int kind, int left)
{
	volatile char local[64];

	local[0] = (char)left;
	if (left)
		return deeper(kind, left - 1) + local[0];
	if (kind == 0)
		pthread_mutex_lock(&lock);
	/* relaxed: counters */
	atomic_fetch_add_explicit(&answer->blocked, 1, memory_order_relaxed);
	do
		wait_in(kind);
	/* relaxed: a counter */
	while (atomic_fetch_add_explicit(&answer->woken, 1, memory_order_relaxed) < UINT32_MAX);
	return local[0];
}

static void *wait_deep(void *arg)
{
	deeper((int)(intptr_t)arg % 3, DEPTH);
	return NULL;
}

/*
 * Looks at the clock all the time; what it misses is what somebody took from it. Whether a handler
 * ran meanwhile, ours or another, it sees by the signal frame, which lies where the last one lay:
 * nothing is called here, so that the stack pointer stays.
 */
static _Atomic(uintptr_t) frame_at; /* of the program counter in the frame */

static void empty_handler(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	/* relaxed: the thread itself reads it */
	atomic_store_explicit(&frame_at,
			      (uintptr_t)&((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP],
			      memory_order_relaxed);
}

static void raise_to(_Atomic uint64_t *most, uint64_t v)
{
	/* relaxed: one writer but for the reset */
	if (v > atomic_load_explicit(most, memory_order_relaxed))
		/* relaxed: as above */
		atomic_store_explicit(most, v, memory_order_relaxed);
}

__attribute__((noinline)) static void spin_here(double ns_per_tick)
{
	const uint64_t least = (uint64_t)(500 / ns_per_tick);
	uint64_t last = __rdtsc();

	for (;;) {
		const uint64_t now = __rdtsc(), gap = now - last;

		last = now;
		if (gap < least)
			continue;
		/* relaxed: this thread's own handler writes it */
		volatile uint64_t *frame =
			(uint64_t *)atomic_load_explicit(&frame_at, memory_order_relaxed);
		const uint64_t ns = (uint64_t)((double)gap * ns_per_tick);

		raise_to(&answer->gap_ns, ns);
		if (frame && *frame) {
			raise_to(&answer->handler_ns, ns);
			*frame = 0;
		}
		last = __rdtsc();
	}
}

static void *spin(void *arg)
{
	const uint64_t from_ns = bench_now_ns(), from = __rdtsc();

	bench_pin(1);
	usleep(10000);
	spin_here((double)(bench_now_ns() - from_ns) / (double)(__rdtsc() - from));
	return arg;
}

double subject_look(struct as_peek *peek, pid_t pid, unsigned *captured, unsigned *complete)
{
	static struct as_thread t;
	static pid_t tid[TIDS];
	size_t n = 0;
	unsigned seen = 0, whole = 0;
	const uint64_t start = bench_now_ns();

	as_peek_refresh(peek);
	as_proc_tids(peek->proc_fd, tid, TIDS, &n);
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

static void look_at_myself(void)
{
	struct as_peek *peek = mmap(NULL, as_peek_bytes(), PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	double warm[WARM];

	as_peek_init(peek, 0);
	answer->first_ms = subject_look(peek, 0, &answer->captured, &answer->complete);
	for (unsigned i = 0; i < WARM; i++)
		warm[i] = subject_look(peek, 0, &answer->captured, &answer->complete);
	answer->warm_ms = bench_median(warm, WARM);
	as_peek_fini(peek);
	munmap(peek, as_peek_bytes());
}

/* What the running thread misses at most from now on, at all and by a handler, in us. */
static uint64_t gap_begin(void)
{
	/* relaxed: the writer may lose it, and then a gap of before counts */
	atomic_store_explicit(&answer->gap_ns, 0, memory_order_relaxed);
	/* relaxed: as above */
	atomic_store_explicit(&answer->handler_ns, 0, memory_order_relaxed);
	return bench_now_ns();
}

static double gap_end(_Atomic uint64_t *gap_ns)
{
	/* relaxed: as above */
	return (double)atomic_load_explicit(gap_ns, memory_order_relaxed) / 1e3;
}

/* The dumper off the spinning thread's CPU: what it misses shall be its own handler, not the share
 * of the CPU that another thread gets. */
static void pin_dumper(void)
{
	char path[64], comm[32] = "";
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	for (pid_t tid = getpid(); tid < getpid() + TIDS; tid++) {
		snprintf(path, sizeof(path), "/proc/self/task/%d/comm", (int)tid);
		const int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			continue;
		if (read(fd, comm, sizeof(comm) - 1) > 0 && !strcmp(comm, "sigdump\n"))
			sched_setaffinity(tid, sizeof(set), &set);
		close(fd);
		if (!strcmp(comm, "sigdump\n"))
			return;
	}
}

/* The same without us: a signal in the middle of `span_ns`, or none. */
static double gap_without(pthread_t runs, bool signal, uint64_t span_ns)
{
	const uint64_t start = gap_begin();

	while (bench_now_ns() - start < span_ns / 2)
		;
	if (signal)
		pthread_kill(runs, SIGRTMIN + 7);
	/* a thread that gets no CPU just then gets its signal later, as it does in a dump, which waits */
	while (bench_now_ns() - start < span_ns ||
	       (signal && gap_end(&answer->handler_ns) <= 0 && bench_now_ns() - start < LATE_NS))
		;
	return gap_end(signal ? &answer->handler_ns : &answer->gap_ns);
}

/* The library's dumps, with the longest gap that the running thread saw in each. */
static void dump_myself(unsigned dumps)
{
	const struct sigaction empty = { .sa_sigaction = empty_handler,
					 .sa_flags = SA_RESTART | SA_SIGINFO };
	double ms[SUBJECT_DUMPS];
	pthread_t id;
	unsigned n = 0;

	if (!dumps || sigdump_dump()) /* the first one opens the feed and reads the modules */
		return;
	sigaction(SIGRTMIN + 7, &empty, NULL);
	if (pthread_create(&id, NULL, spin, NULL))
		_exit(1);
	bench_pin(0);
	pin_dumper();
	usleep(50000);
	gap_without(id, true, 1000000); /* where the frame lies */
	for (; n < dumps && n < SUBJECT_DUMPS; n++) {
		const uint64_t start = gap_begin();
		if (sigdump_dump())
			return;
		answer->pause_us[n] = gap_end(&answer->handler_ns);
		const uint64_t span_ns = bench_now_ns() - start;
		ms[n] = (double)span_ns / 1e6;
		answer->empty_us[n] = gap_without(id, true, span_ns);
		answer->quiet_us[n] = gap_without(id, false, span_ns);
	}
	answer->dumps = n;
	answer->dump_ms = bench_percentile(ms, n, 0.5);
}

void subject_main(int argc, char **argv)
{
	pthread_attr_t attr;
	pthread_t id;

	if (argc != 5 || strcmp(argv[1], "--subject") != 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	const unsigned threads = (unsigned)atoi(argv[2]), dumps = (unsigned)atoi(argv[3]);
	answer = mmap(NULL, sizeof(*answer), PROT_READ | PROT_WRITE, MAP_SHARED, atoi(argv[4]), 0);
	quiet_set = epoll_create1(EPOLL_CLOEXEC);
	if (answer == MAP_FAILED || pipe(quiet_pipe))
		_exit(1);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&id, &attr, wait_deep, (void *)(intptr_t)i))
			_exit(1);
	/* relaxed: a counter */
	while (atomic_load_explicit(&answer->blocked, memory_order_relaxed) < threads)
		usleep(1000);
	usleep(50000); /* they have counted themselves just before they slept */
	look_at_myself();
	dump_myself(dumps);
	/* relaxed: who waits for it reads the rest behind a system call */
	atomic_store_explicit(&answer->ready, 1, memory_order_relaxed);
	for (;;)
		pause();
}

static void run_again(unsigned threads, unsigned dumps, int fd, const char *library, const char *feed)
{
	char n[16], d[16], f[16];

	snprintf(n, sizeof(n), "%u", threads);
	snprintf(d, sizeof(d), "%u", dumps);
	snprintf(f, sizeof(f), "%d", fd);
	if (library) {
		setenv("LD_PRELOAD", library, 1);
		setenv("SHMSCOPE_FEED", feed, 1);
	}
	execl("/proc/self/exe", "stack_bench", "--subject", n, d, f, (char *)NULL);
	_exit(1);
}

bool subject_start(struct subject *s, unsigned threads, const char *library, unsigned dumps,
		   const char *feed)
{
	const int fd = memfd_create("answer", 0);

	if (fd < 0 || ftruncate(fd, sizeof(*s->answer)))
		return false;
	s->answer = mmap(NULL, sizeof(*s->answer), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (s->answer == MAP_FAILED)
		return false;
	s->pid = fork();
	if (s->pid == 0)
		run_again(threads, dumps, fd, library, feed);
	close(fd);
	/* relaxed: as above */
	while (!atomic_load_explicit(&s->answer->ready, memory_order_relaxed)) {
		if (waitpid(s->pid, NULL, WNOHANG) != 0)
			return false;
		usleep(1000);
	}
	return true;
}

void subject_end(struct subject *s)
{
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	munmap(s->answer, sizeof(*s->answer));
}
