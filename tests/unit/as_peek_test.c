/*
 * Looking at threads: what is told of each, from outside and from inside, and that the one looked
 * at does not notice. Whether the frames are the right ones is as_chains_test.c's question.
 */
#include "lib/as/as_peek.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/as/as_sys.h"
#include "tests/t.h"

enum { TIDS = 4096 };

static pid_t tids[TIDS];
static size_t n_tids;
static struct as_thread thread;

static struct as_peek *new_peek(pid_t pid)
{
	struct as_peek *p = mmap(NULL, as_peek_bytes(), PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	T_EQ(as_peek_init(p, pid), 0);
	T_EQ(as_peek_refresh(p), 0);
	T_EQ(as_proc_tids(p->proc_fd, tids, TIDS, &n_tids), 0);
	return p;
}

/* ---- what a look does to the one looked at ------------------------------------------------- */

struct shared {
	atomic_uint eintr, wakes;
};

static void epoll_child(struct shared *sh, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };
	const int ep = epoll_create1(0);

	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event);
	/* relaxed: lone counters, read after the child has ended */
	while (epoll_wait(ep, &event, 1, -1) < 0)
		atomic_fetch_add_explicit(&sh->eintr, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&sh->wakes, 1, memory_order_relaxed);
}

TEST(a_thread_in_epoll_wait_does_not_notice_fifty_looks)
{
	struct shared *sh = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int ends[2];

	T_EQ(pipe(ends), 0);
	const pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		epoll_child(sh, ends[0]);
		_exit(0);
	}
	struct as_peek *p = new_peek(pid);
	struct as_proc_mark first = { .ran = 0 };

	do
		as_peek_thread(p, pid, &thread);
	while (thread.captured != AS_CAPTURED_PEEK || thread.nr != SYS_epoll_wait || thread.moved);
	for (unsigned i = 0; i < 50; i++) {
		T_EQ(as_peek_refresh(p), 0);
		as_peek_thread(p, pid, &thread);
		T_EQ(thread.captured, AS_CAPTURED_PEEK);
		T_EQ(thread.nr, SYS_epoll_wait);
		T_EQ(thread.state, 'S');
		T_OK(thread.frames > 3);
		first = i ? first : thread.mark;
		T_OK(as_proc_mark_same(&first, &thread.mark));
	}
	T_EQ(write(ends[1], "x", 1), 1);
	T_EQ(waitpid(pid, NULL, 0), pid);
	/* relaxed: the child has ended */
	T_EQ(atomic_load_explicit(&sh->eintr, memory_order_relaxed), 0);
	T_EQ(atomic_load_explicit(&sh->wakes, memory_order_relaxed), 1);
}

/* ---- from inside ----------------------------------------------------------------------------- */

static int hold_fd[2];
static atomic_bool spin_on = true;

__attribute__((noinline)) static long hold_here(long v)
{
	char byte;

	return read(hold_fd[0], &byte, 1) + v;
}

__attribute__((noinline)) static long hold_deep(unsigned depth)
{
	volatile long here = depth;

	return depth ? hold_deep(depth - 1) + here : hold_here(here) + here;
}

static void *hold(void *arg)
{
	hold_deep((unsigned)(uintptr_t)arg);
	return NULL;
}

static void *spin(void *arg)
{
	/* relaxed: it only has to be seen some time */
	while (atomic_load_explicit(&spin_on, memory_order_relaxed))
		;
	return arg;
}

static void start_holders(unsigned n, unsigned depth)
{
	pthread_attr_t attr;
	pthread_t handle;

	T_EQ(pipe(hold_fd), 0);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 262144);
	for (unsigned i = 0; i < n; i++)
		T_EQ(pthread_create(&handle, &attr, hold, (void *)(uintptr_t)depth), 0);
}

/* Looks at another thread of this process until it sits in read(). */
static void look_until_held(struct as_peek *p, pid_t tid)
{
	do
		as_peek_thread(p, tid, &thread);
	while (thread.captured != AS_CAPTURED_PEEK || thread.nr != SYS_read || thread.moved);
}

/* How often the commonest program counter stands in the stack: calls of hold_deep() by itself. */
static unsigned recursion(void)
{
	unsigned most = 0;

	for (unsigned i = 0; i < thread.frames; i++) {
		unsigned n = 0;

		for (unsigned k = 0; k < thread.frames; k++)
			n += thread.frame[k] == thread.frame[i];
		most = n > most ? n : most;
	}
	return most;
}

TEST(a_process_looks_at_its_own_threads)
{
	start_holders(20, 10);
	struct as_peek *p = new_peek(0);

	T_EQ(n_tids, 21);
	for (size_t i = 0; i < n_tids; i++) {
		if (tids[i] == gettid())
			continue;
		look_until_held(p, tids[i]);
		T_EQ(thread.end, AS_END_BOTTOM);
		T_EQ(recursion(), 10);
		T_EQ(thread.flags[0], AS_FRAME_EXACT);
		T_EQ(thread.args[0], hold_fd[0]);
		T_EQ(thread.pc, thread.frame[0]);
	}
}

TEST(a_stack_deeper_than_the_room_says_so)
{
	start_holders(1, 1000);
	struct as_peek *p = new_peek(0);

	look_until_held(p, tids[tids[0] == gettid()]);
	T_EQ(thread.frames, AS_PEEK_FRAMES);
	T_EQ(thread.end, AS_END_LIMIT);
}

TEST(a_running_thread_is_called_running)
{
	pthread_t handle;

	T_EQ(pthread_create(&handle, NULL, spin, NULL), 0);
	struct as_peek *p = new_peek(0);

	as_peek_thread(p, tids[tids[0] == gettid()], &thread);
	T_EQ(thread.captured, AS_CAPTURED_RUNNING);
	T_EQ(thread.state, 'R');
	T_EQ(thread.frames, 0);
	atomic_store_explicit(&spin_on, false, memory_order_relaxed);
}

TEST(a_thread_that_ended_is_called_gone)
{
	struct as_peek *p = new_peek(0);

	/* a number beyond pid_max: never a thread of ours */
	as_peek_thread(p, 0x3fffffff, &thread);
	T_EQ(thread.captured, AS_CAPTURED_GONE);
	T_EQ(thread.frames, 0);
}

static void end_main_thread(void)
{
	start_holders(1, 3);
	pthread_exit(NULL);
}

TEST(a_main_thread_that_has_ended_hides_no_other)
{
	const pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		end_main_thread();
	}
	struct as_peek *p = new_peek(pid);

	/* the first look may come before its end or after */
	for (unsigned tries = 0; thread.state != 'Z' || n_tids < 2; tries++) {
		T_OK(tries < 5000);
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		T_EQ(as_peek_refresh(p), 0);
		as_peek_thread(p, pid, &thread);
		T_EQ(as_proc_tids(p->proc_fd, tids, TIDS, &n_tids), 0);
	}
	T_EQ(thread.captured, AS_CAPTURED_PROC);
	T_EQ(thread.error, -ENODATA);
	look_until_held(p, tids[tids[0] == pid]);
	T_EQ(recursion(), 3);
	T_EQ(thread.end, AS_END_BOTTOM);
	as_peek_fini(p);
	p = new_peek(pid);
	look_until_held(p, tids[tids[0] == pid]);
	T_EQ(recursion(), 3);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void look_without_permission(pid_t pid)
{
	struct as_peek *p = mmap(NULL, as_peek_bytes(), PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* root may read anything: look as somebody else */
	if (geteuid() == 0)
		T_EQ(syscall(SYS_setresuid, 65534, 65534, 65534), 0);
	const int err = as_peek_init(p, pid);

	T_OK(err == -EACCES || err == -EPERM);
	T_OK(as_peek_refresh(p) < 0);
	as_peek_thread(p, pid, &thread);
	T_EQ(thread.captured, AS_CAPTURED_PROC);
	T_OK(thread.error == -EACCES || thread.error == -EPERM);
	T_EQ(thread.frames, 0);
	T_STR(thread.comm, "as_peek_test");
}

TEST(a_process_that_may_not_be_read_is_not_called_running)
{
	int ends[2], status;
	char byte;

	T_EQ(pipe(ends), 0);
	const pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_DUMPABLE, 0);
		write(ends[1], "x", 1);
		for (;;)
			pause();
	}
	T_EQ(read(ends[0], &byte, 1), 1);
	const pid_t looker = fork();

	if (looker == 0) {
		look_without_permission(pid);
		_exit(0);
	}
	T_EQ(waitpid(looker, &status, 0), looker);
	kill(pid, SIGKILL);
	T_EQ(waitpid(pid, NULL, 0), pid);
	T_EQ(status, 0);
}

TEST(a_thread_in_uninterruptible_sleep_is_looked_at_like_any_other)
{
	pid_t grandchild;
	int ends[2];

	T_EQ(pipe(ends), 0);
	T_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	const pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (vfork() == 0) {
			const pid_t self = (pid_t)syscall(SYS_getpid);

			syscall(SYS_write, ends[1], &self, sizeof(self));
			for (;;)
				syscall(SYS_pause);
		}
		_exit(0);
	}
	T_EQ(read(ends[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
	struct as_peek *p = new_peek(pid);

	as_peek_thread(p, pid, &thread);
	kill(pid, SIGKILL);
	kill(grandchild, SIGKILL);
	T_EQ(waitpid(pid, NULL, 0), pid);
	T_EQ(waitpid(grandchild, NULL, 0), grandchild);
	T_EQ(thread.captured, AS_CAPTURED_PEEK);
	T_EQ(thread.nr, SYS_vfork);
	T_EQ(thread.state, 'D');
	T_EQ(thread.end, AS_END_BOTTOM);
}

/* ---- how long --------------------------------------------------------------------------------- */

static double ms_of(clockid_t clock)
{
	return (double)as_sys_clock_ns(clock) / 1e6;
}

TEST(a_thousand_threads_of_thirty_frames_are_looked_at)
{
	start_holders(1000, 24);
	struct as_peek *p = new_peek(0);
	unsigned frames = 0;

	T_EQ(n_tids, 1001);
	for (size_t i = 0; i < n_tids; i++)
		if (tids[i] != gettid())
			look_until_held(p, tids[i]);
	for (unsigned round = 0; round < 5; round++) {
		const double start_ms = ms_of(CLOCK_MONOTONIC);
		const double cpu_ms = ms_of(CLOCK_THREAD_CPUTIME_ID);

		T_EQ(as_peek_refresh(p), 0);
		T_EQ(as_proc_tids(p->proc_fd, tids, TIDS, &n_tids), 0);
		frames = 0;
		for (size_t i = 0; i < n_tids; i++) {
			if (tids[i] == gettid())
				continue;
			as_peek_thread(p, tids[i], &thread);
			T_EQ(thread.captured, AS_CAPTURED_PEEK);
			frames += thread.frames;
		}
		printf("    %zu threads, %u frames: %.1f ms, %.1f of them on a CPU\n", n_tids - 1,
		       frames, ms_of(CLOCK_MONOTONIC) - start_ms,
		       ms_of(CLOCK_THREAD_CPUTIME_ID) - cpu_ms);
	}
	T_OK(frames >= 28000);
}
