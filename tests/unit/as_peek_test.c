/*
 * Looking at blocked threads: what is found from stack pointer and program counter alone is held
 * against libunwind, which stops the thread and has all its registers.
 */
#include "lib/as/as_peek.h"

#include <errno.h>
#include <fcntl.h>
#include <libunwind-ptrace.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
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

/* ---- programs to look at ----------------------------------------------------------------- */

struct program {
	pid_t pid;
	int in, out; /* our ends of its stdin and stdout */
};

static struct program start(char *const argv[])
{
	int in[2], out[2];

	T_EQ(pipe2(in, O_CLOEXEC), 0);
	T_EQ(pipe2(out, O_CLOEXEC), 0);
	struct program prog = { .pid = fork(), .in = in[1], .out = out[0] };

	if (prog.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(in[0], 0);
		dup2(out[1], 1);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	return prog;
}

static void finish(struct program *prog)
{
	close(prog->in);
	close(prog->out);
	kill(prog->pid, SIGKILL);
	waitpid(prog->pid, NULL, 0);
}

/* Reads the program's output up to a line that begins with `word`. */
static void expect_line(struct program *prog, const char *word)
{
	char line[512];
	size_t n = 0;

	for (;;) {
		T_OK(n < sizeof(line) - 1);
		if (read(prog->out, line + n, 1) != 1)
			t_skip("no line with \"%s\": not installed, or it does not start", word);
		if (line[n++] != '\n')
			continue;
		line[n] = '\0';
		if (strstr(line, word))
			return;
		n = 0;
	}
}

static bool has_settled(struct as_peek *p)
{
	static struct as_proc_mark mark[TIDS];
	struct as_proc_syscall call;
	struct as_proc_watch w;
	bool settled = true;

	for (size_t i = 0; i < n_tids; i++) {
		struct as_proc_mark now;

		if (as_proc_watch_open(&w, p->proc_fd, tids[i], &now))
			return false;
		as_proc_watch_close(&w);
		settled &= as_proc_mark_same(&now, &mark[i]) &&
			   !as_proc_syscall(p->proc_fd, tids[i], &call) && call.form == AS_PROC_CALL;
		mark[i] = now;
	}
	return settled;
}

/* Waits until every thread is blocked and none ran for a while. */
static struct as_peek *settle(pid_t pid)
{
	struct as_peek *p = new_peek(pid);

	for (unsigned quiet = 0, tries = 0; quiet < 5; tries++) {
		T_OK(tries < 2000);
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
		T_EQ(as_proc_tids(p->proc_fd, tids, TIDS, &n_tids), 0);
		quiet = has_settled(p) ? quiet + 1 : 0;
	}
	T_EQ(as_peek_refresh(p), 0);
	return p;
}

/* ---- the second, stopped look -------------------------------------------------------------- */

struct chain {
	uint64_t pc[AS_PEEK_FRAMES];
	unsigned n;
};

static void stopped_look(unw_addr_space_t space, pid_t tid, struct chain *c)
{
	unw_cursor_t cursor;
	unw_word_t ip;

	T_EQ(ptrace(PTRACE_SEIZE, tid, NULL, NULL), 0);
	T_EQ(ptrace(PTRACE_INTERRUPT, tid, NULL, NULL), 0);
	T_EQ(waitpid(tid, NULL, __WALL), tid);
	void *arg = _UPT_create(tid);

	c->n = 0;
	T_EQ(unw_init_remote(&cursor, space, arg), 0);
	do {
		unw_get_reg(&cursor, UNW_REG_IP, &ip);
		if (!ip)
			break;
		c->pc[c->n++] = ip;
	} while (c->n < AS_PEEK_FRAMES && unw_step(&cursor) > 0);
	_UPT_destroy(arg);
	ptrace(PTRACE_DETACH, tid, NULL, NULL);
}

struct tally {
	unsigned threads, same, unflagged, guessed;
};

static void show(const struct as_peek *p, const char *side, unsigned i, unsigned n, uint64_t pc,
		 const char *flag)
{
	struct as_module *m = i < n ? as_modules_find(&p->unwinder.modules, pc) : NULL;

	printf("      %s #%u 0x%llx%s %.*s+0x%llx\n", side, i, i < n ? (unsigned long long)pc : 0, flag,
	       m ? m->path_len : 0, m ? as_module_path(&p->unwinder.modules, m) : "",
	       m ? (unsigned long long)(pc - m->elf.bias) : 0);
}

static void compare(const struct as_peek *p, const struct chain *c, struct tally *tally)
{
	unsigned same = 0;
	bool flagged = thread.end != AS_END_BOTTOM, guessed = false;

	while (same < c->n && same < thread.frames && c->pc[same] == thread.frame[same])
		same++;
	for (unsigned i = 0; i < thread.frames; i++) {
		const bool g = thread.flags[i] & AS_FRAME_GUESSED;

		guessed |= g;
		flagged |= g && i <= same;
	}
	tally->threads++;
	tally->guessed += guessed;
	if (same == c->n && same == thread.frames) {
		tally->same++;
		return;
	}
	tally->unflagged += !flagged;
	printf("    %d \"%s\": %u frames (%s), stopped look %u; first %u the same%s\n", thread.tid,
	       thread.comm, thread.frames, as_end_name(thread.end), c->n, same,
	       flagged ? "" : ", NOT FLAGGED");
	for (unsigned i = same; i < same + 2; i++) {
		show(p, "ours   ", i, thread.frames, thread.frame[i],
		     i < thread.frames && thread.flags[i] & AS_FRAME_GUESSED ? " guessed" : "");
		show(p, "stopped", i, c->n, c->pc[i], "");
	}
}

static struct tally compare_process(pid_t pid)
{
	struct as_peek *p = settle(pid);
	unw_addr_space_t space = unw_create_addr_space(&_UPT_accessors, 0);
	struct tally tally = { .threads = 0 };
	static struct chain c;

	unw_set_caching_policy(space, UNW_CACHE_GLOBAL);
	for (size_t i = 0; i < n_tids; i++) {
		as_peek_thread(p, tids[i], &thread);
		T_EQ(thread.captured, AS_CAPTURED_PEEK);
		T_EQ(thread.moved, 0);
		stopped_look(space, tids[i], &c);
		compare(p, &c, &tally);
	}
	unw_destroy_addr_space(space);
	as_peek_fini(p);
	printf("    %u threads: %u chains equal, %u with a guess in them, %u differ unflagged\n",
	       tally.threads, tally.same, tally.guessed, tally.unflagged);
	return tally;
}

static void check_fixture(const char *name)
{
	char path[256];
	const char *build = getenv("B");

	snprintf(path, sizeof(path), "%s/fixture/%s", build ? build : "build/plain", name);
	struct program prog = start((char *[]){ path, NULL });

	expect_line(&prog, "threads ");
	const struct tally tally = compare_process(prog.pid);

	finish(&prog);
	T_OK(tally.threads > 200);
	T_OK(tally.same * 100 >= tally.threads * 99);
	T_EQ(tally.unflagged, 0);
}

TEST(chains_equal_those_of_full_registers_without_optimisation)
{
	check_fixture("stacks-O0");
}

TEST(chains_equal_those_of_full_registers_without_frame_pointers)
{
	check_fixture("stacks-O2");
}

TEST(chains_equal_those_of_full_registers_with_frame_pointers)
{
	check_fixture("stacks-fp");
}

static void check_program(char *const argv[], const char *ready)
{
	struct program prog = start(argv);

	expect_line(&prog, ready);
	const struct tally tally = compare_process(prog.pid);

	finish(&prog);
	T_EQ(tally.same, tally.threads);
}

TEST(chains_equal_those_of_full_registers_in_python)
{
	check_program((char *[]){ "python3", "-c",
				  "import threading, time, sys, select\n"
				  "def f(n): f(n - 1) if n else time.sleep(1000)\n"
				  "for i in range(12): threading.Thread(target=f, args=(i,), daemon=True).start()\n"
				  "q = threading.Event()\n"
				  "for i in range(3): threading.Thread(target=q.wait, daemon=True).start()\n"
				  "print('ready', flush=True)\n"
				  "select.select([sys.stdin], [], [])\n",
				  NULL },
		      "ready");
}

TEST(chains_equal_those_of_full_registers_in_redis)
{
	char path[256];
	const char *dir = getenv("TMPDIR");

	snprintf(path, sizeof(path), "%s/redis.sock", dir ? dir : "/tmp");
	check_program((char *[]){ "redis-server", "--port", "0", "--unixsocket", path, "--save", "",
				  "--hz", "1", NULL },
		      "onnections");
	unlink(path);
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
	struct as_peek *p = settle(pid);
	struct as_proc_mark first = { .ran = 0 };

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
