#include "lib/as/as_proc.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/as/as_sys.h"
#include "tests/t.h"

/* A child that runs `body` and is killed by the caller. */
static pid_t start_child(void (*body)(int fd), int fd)
{
	const pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		body(fd);
		_exit(0);
	}
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void block_in_read(int fd)
{
	char byte;

	read(fd, &byte, 1);
}

static atomic_uint *turns; /* shared: counted by a spinning child */

static void spin(int fd)
{
	(void)fd;
	/* relaxed: a lone counter */
	for (;;)
		atomic_fetch_add_explicit(turns, 1, memory_order_relaxed);
}

/* Starts a child that spins, and waits until it does: it makes no system call any more. */
static pid_t start_spinning(void)
{
	turns = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const pid_t pid = start_child(spin, -1);

	/* relaxed: a lone counter */
	while (atomic_load_explicit(turns, memory_order_relaxed) < 2)
		;
	return pid;
}

/* Reads `syscall` until it has the form wanted: a child needs a moment to get there. */
static struct as_proc_syscall wait_for_form(int proc_fd, pid_t tid, enum as_proc_form form)
{
	struct as_proc_syscall call;

	for (unsigned i = 0; i < 20000; i++) {
		T_EQ(as_proc_syscall(proc_fd, tid, &call), 0);
		if (call.form == form)
			return call;
		nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
	}
	T_FAIL("pid %d never had form %d", tid, form);
}

TEST(a_thread_blocked_in_a_call_shows_its_number_arguments_and_registers)
{
	int ends[2];

	T_EQ(pipe(ends), 0);
	const pid_t pid = start_child(block_in_read, ends[0]);
	const int fd = as_proc_open(pid);
	const struct as_proc_syscall call = wait_for_form(fd, pid, AS_PROC_CALL);

	T_EQ(call.nr, SYS_read);
	T_EQ(call.args[0], ends[0]);
	T_EQ(call.args[2], 1);
	T_OK(call.sp && call.pc);
	end_child(pid);
}

TEST(a_running_thread_and_one_stopped_in_user_mode_are_told_apart)
{
	const pid_t pid = start_spinning();
	const int fd = as_proc_open(pid);
	struct as_proc_stat st;
	struct as_proc_syscall call = wait_for_form(fd, pid, AS_PROC_RUNNING);

	T_EQ(call.nr, -1);
	kill(pid, SIGSTOP);
	T_EQ(waitpid(pid, NULL, WUNTRACED), pid);
	call = wait_for_form(fd, pid, AS_PROC_USER);
	T_EQ(call.nr, -1);
	T_OK(call.sp && call.pc);
	T_EQ(as_proc_stat(fd, 0, &st), 0);
	T_EQ(st.state, 'T');
	end_child(pid);
}

static const char *const nasty[] = {
	") R 1 (x", "a) b) c", "((((", "))))", " leading", "new\nline", "\xff\xfe\x01", "1 2 3 4 5 6 7 8",
	"",
};

TEST(a_name_with_brackets_spaces_and_line_feeds_does_not_shift_the_fields)
{
	const int fd = as_proc_open(0);
	struct as_proc_stat st, by_tid;

	for (unsigned i = 0; i < sizeof(nasty) / sizeof(nasty[0]); i++) {
		T_EQ(prctl(PR_SET_NAME, nasty[i]), 0);
		T_EQ(as_proc_stat(fd, 0, &st), 0);
		T_STR(st.comm, nasty[i]);
		T_EQ(st.state, 'R');
		T_EQ(st.ppid, getppid());
		T_EQ(st.threads, 1);
		T_OK(st.start > 0);
		T_EQ(as_proc_stat(fd, getpid(), &by_tid), 0);
		T_STR(by_tid.comm, nasty[i]);
		T_EQ(by_tid.start, st.start);
	}
}

TEST(a_process_that_is_gone_says_so_in_every_file)
{
	const pid_t pid = start_spinning();
	const int fd = as_proc_open(pid);
	struct as_proc_syscall call;
	struct as_proc_stat st;
	struct as_proc_signals sig;
	struct as_proc_watch w;
	struct as_proc_mark mark;
	char name[64];
	pid_t tids[4];
	size_t n;

	T_OK(fd >= 0);
	T_EQ(as_proc_watch_open(&w, fd, pid, &mark), 0);
	end_child(pid);
	T_EQ(as_proc_syscall(fd, pid, &call), -ESRCH);
	T_EQ(as_proc_stat(fd, pid, &st), -ESRCH);
	T_EQ(as_proc_stat(fd, 0, &st), -ESRCH);
	T_EQ(as_proc_signals(fd, pid, &sig), -ESRCH);
	T_EQ(as_proc_wchan(fd, pid, name, sizeof(name)), -ESRCH);
	T_EQ(as_proc_watch_mark(&w, &mark), -ESRCH);
	as_proc_watch_close(&w);
	T_EQ(as_proc_watch_open(&w, fd, pid, &mark), -ESRCH);
	T_EQ(as_proc_tids(fd, tids, 4, &n), -ESRCH);
	T_EQ(n, 0);
	T_EQ(as_proc_open(pid), -ESRCH);
}

static int go[2]; /* a byte lets one thread end */

static void *hold(void *arg)
{
	char byte;

	read(go[0], &byte, 1);
	return arg;
}

static void start_threads(pthread_t *thread, unsigned n)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (unsigned i = 0; i < n; i++)
		T_EQ(pthread_create(&thread[i], &attr, hold, NULL), 0);
}

TEST(all_threads_are_listed_sorted_and_once)
{
	static pthread_t thread[700];
	static pid_t tids[2000];
	const int fd = as_proc_open(0);
	size_t n;

	T_EQ(pipe(go), 0);
	start_threads(thread, 700);
	T_EQ(as_proc_tids(fd, tids, 2000, &n), 0);
	T_EQ(n, 701);
	for (size_t i = 1; i < n; i++)
		T_OK(tids[i - 1] < tids[i]);
	/* no room for all: as many as fit, and said so */
	T_EQ(as_proc_tids(fd, tids, 100, &n), 1);
	T_EQ(n, 100);
}

static atomic_bool stop;

static void *nothing(void *arg)
{
	return arg;
}

static void *storm(void *arg)
{
	pthread_t thread;

	/* relaxed: it only has to be seen some time */
	while (!atomic_load_explicit(&stop, memory_order_relaxed))
		if (!pthread_create(&thread, NULL, nothing, NULL))
			pthread_join(thread, NULL);
	return arg;
}

static bool is_listed(const pid_t *tids, size_t n, pid_t tid)
{
	for (size_t i = 0; i < n; i++)
		if (tids[i] == tid)
			return true;
	return false;
}

TEST(threads_that_stay_are_listed_while_others_come_and_go)
{
	static pthread_t thread[200], stormy[4];
	static pid_t first[1000], tids[1000];
	const int fd = as_proc_open(0);
	size_t n_first, n, missed = 0;

	T_EQ(pipe(go), 0);
	start_threads(thread, 200);
	T_EQ(as_proc_tids(fd, first, 1000, &n_first), 0);
	T_EQ(n_first, 201);
	for (unsigned i = 0; i < 4; i++)
		T_EQ(pthread_create(&stormy[i], NULL, storm, NULL), 0);
	for (unsigned round = 0; round < 200; round++) {
		T_EQ(as_proc_tids(fd, tids, 1000, &n), 0);
		for (size_t i = 0; i < n_first; i++)
			missed += !is_listed(tids, n, first[i]);
	}
	atomic_store_explicit(&stop, true, memory_order_relaxed);
	T_EQ(missed, 0);
}

static void block_in_turns(int fd)
{
	char byte;

	while (read(fd, &byte, 1) == 1)
		;
}

static void check_marks(int proc_fd, pid_t pid, struct as_proc_watch *w, int wake_fd)
{
	struct as_proc_mark before, after;

	wait_for_form(proc_fd, pid, AS_PROC_CALL);
	T_EQ(as_proc_watch_mark(w, &before), 0);
	for (unsigned i = 0; i < 100; i++) {
		T_EQ(as_proc_watch_mark(w, &after), 0);
		T_OK(as_proc_mark_same(&before, &after));
	}
	for (unsigned i = 0; i < 20; i++) {
		T_EQ(write(wake_fd, "x", 1), 1);
		do
			T_EQ(as_proc_watch_mark(w, &after), 0);
		while (as_proc_mark_same(&before, &after));
		wait_for_form(proc_fd, pid, AS_PROC_CALL);
		T_EQ(as_proc_watch_mark(w, &before), 0);
	}
}

TEST(the_mark_of_a_thread_changes_when_it_ran_and_only_then)
{
	struct as_proc_watch w;
	struct as_proc_mark mark;
	int ends[2];

	T_EQ(pipe(ends), 0);
	const pid_t pid = start_child(block_in_turns, ends[0]);
	const int fd = as_proc_open(pid);

	T_EQ(as_proc_watch_open(&w, fd, pid, &mark), 0);
	T_EQ(mark.is_time, !w.is_status);
	check_marks(fd, pid, &w, ends[1]);
	as_proc_watch_close(&w);
	end_child(pid);
}

TEST(switch_counts_do_as_a_mark_where_schedstat_is_missing)
{
	int ends[2];
	char path[64];

	T_EQ(pipe(ends), 0);
	const pid_t pid = start_child(block_in_turns, ends[0]);
	const int fd = as_proc_open(pid);

	snprintf(path, sizeof(path), "task/%d/status", pid);
	struct as_proc_watch w = { .fd = as_sys_openat(fd, path, 0, 0), .is_status = true };

	struct as_proc_mark mark = { .is_time = true };

	T_OK(w.fd >= 0);
	check_marks(fd, pid, &w, ends[1]);
	T_EQ(as_proc_watch_mark(&w, &mark), 0);
	T_OK(!mark.is_time); /* switches are no nanoseconds */
	as_proc_watch_close(&w);
	end_child(pid);
}

TEST(signal_words_are_those_of_the_thread)
{
	const int fd = as_proc_open(0);
	struct as_proc_signals sig;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMAX);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signal(SIGUSR2, spin);
	signal(SIGHUP, SIG_IGN);
	raise(SIGUSR1);
	T_EQ(as_proc_signals(fd, getpid(), &sig), 0);
	T_EQ(sig.blocked, 1ull << (SIGUSR1 - 1) | 1ull << (SIGRTMAX - 1));
	T_EQ(sig.pending | sig.shared_pending, 1ull << (SIGUSR1 - 1));
	T_OK(sig.caught >> (SIGUSR2 - 1) & 1);
	T_OK(sig.ignored >> (SIGHUP - 1) & 1);
}
