/* A thread that sleeps when it is stopped does not notice. */
#include "lib/proc/proc_stop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/t.h"

enum { STACK = 16384 };

static int end[2]; /* of a pipe, or of a pair of sockets */

static int sleep_in_epoll(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	const int set = epoll_create1(0);

	epoll_ctl(set, EPOLL_CTL_ADD, end[0], &event);
	return epoll_wait(set, &event, 1, -1);
}

static int sleep_in_poll(void)
{
	struct pollfd on = { end[0], POLLIN, 0 };

	return poll(&on, 1, -1);
}

static int sleep_in_read(void)
{
	char c;

	return (int)read(end[0], &c, 1);
}

static int sleep_in_recv(void)
{
	const struct timeval limit = { 60, 0 };
	char c;

	setsockopt(end[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return (int)recv(end[0], &c, 1, 0);
}

/* Ended by a signal that it waits for. */
static int sleep_in_sigwait(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	return sigwaitinfo(&set, NULL) == SIGUSR2 ? 1 : -1;
}

struct way {
	int (*sleep)(void);
	long nr;
	bool by_us; /* the kernel does not begin it again */
};

static const struct way ways[] = {
	{ sleep_in_epoll, SYS_epoll_wait, true },  { sleep_in_poll, SYS_poll, false },
	{ sleep_in_read, SYS_read, false },	   { sleep_in_recv, SYS_recvfrom, true },
	{ sleep_in_sigwait, SYS_rt_sigtimedwait, true },
};

/* Ends with what its call gave: 0 for what was waited for, else the error. */
static pid_t start(const struct way *way)
{
	sigset_t set;

	T_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, end), 0);
	const pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigemptyset(&set);
		sigaddset(&set, SIGUSR2);
		sigprocmask(SIG_BLOCK, &set, NULL);
		errno = 0;
		_exit(way->sleep() == 1 ? 0 : errno ? errno : 255);
	}
	return pid;
}

static void await_call(pid_t pid, long nr)
{
	char path[64], line[256];
	long now = -1;

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
	/* what the kernel begins again has this number */
	while (now != nr && now != SYS_restart_syscall) {
		FILE *f = fopen(path, "r");

		T_OK(f);
		now = fgets(line, sizeof(line), f) && line[0] != 'r' ? strtol(line, NULL, 10) : -1;
		fclose(f);
	}
}

static int ends_with(pid_t pid)
{
	int status;

	T_EQ(write(end[1], "", 1), 1);
	kill(pid, SIGUSR2);
	T_EQ(waitpid(pid, &status, 0), pid);
	T_OK(WIFEXITED(status));
	close(end[0]);
	close(end[1]);
	return WEXITSTATUS(status);
}

TEST(a_call_that_is_slept_in_when_the_thread_is_stopped_goes_on)
{
	static char stack[STACK];
	struct proc_stopped got;

	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		const pid_t pid = start(&ways[i]);

		for (int k = 0; k < 5; k++) {
			await_call(pid, ways[i].nr);
			const char *why = proc_stop_copy(pid, stack, STACK, &got);
			if (why)
				T_FAIL("%ld: %s", ways[i].nr, why);
			T_OK(got.n && got.addr <= got.regs.rsp && got.regs.rsp < got.addr + 64);
			T_EQ(got.again, ways[i].by_us);
		}
		T_EQ(ends_with(pid), 0);
	}
}

static void count(int sig)
{
	(void)sig;
}

TEST(a_signal_that_waits_ends_the_call_as_ever)
{
	const struct sigaction act = { .sa_handler = count };
	static char stack[STACK];
	struct proc_stopped got;

	T_EQ(sigaction(SIGUSR1, &act, NULL), 0);
	const pid_t pid = start(&ways[0]);
	await_call(pid, SYS_epoll_wait);
	/* stopped by its parent first, so that it is there when we come */
	kill(pid, SIGSTOP);
	T_EQ(waitpid(pid, NULL, WUNTRACED), pid);
	kill(pid, SIGUSR1);
	proc_stop_copy(pid, stack, STACK, &got);
	kill(pid, SIGCONT);
	T_EQ(ends_with(pid), EINTR);
}

TEST(a_thread_that_is_not_there_cannot_be_stopped)
{
	static char stack[STACK];
	struct proc_stopped got;
	const pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	T_EQ(waitpid(pid, NULL, 0), pid);
	T_STR(proc_stop_copy(pid, stack, STACK, &got), "it ended");
}
