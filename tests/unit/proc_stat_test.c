#include "lib/proc/proc_stat.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/t.h"

TEST(a_process_is_told_by_its_start_time)
{
	struct proc_stat s;

	prctl(PR_SET_NAME, "o) k(");
	T_EQ(proc_stat(getpid(), &s, NULL), 0);
	T_STR(s.comm, "o) k(");
	T_EQ(s.ppid, getppid());
	T_EQ(s.threads, 1);
	T_OK(s.rss_bytes > 0);
	T_OK(proc_is_same(getpid(), s.start_ticks));
	T_OK(!proc_is_same(getpid(), s.start_ticks + 1));
}

/* A pid that is free: of a child that was reaped. */
static pid_t free_pid(void)
{
	const pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	return pid;
}

TEST(a_process_that_is_gone_is_said_to_be_gone)
{
	struct proc_stat s;
	struct err err;
	char want[64];
	const pid_t pid = free_pid();

	T_EQ(proc_stat(pid, &s, &err), -ESRCH);
	snprintf(want, sizeof(want), "pid %d: no such process", (int)pid);
	T_STR(err.text, want);
	T_OK(!proc_is_same(pid, 0));
}

TEST(a_zombie_is_still_the_same_process)
{
	struct proc_stat s;
	const pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	siginfo_t info;
	T_EQ(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	T_EQ(proc_stat(pid, &s, NULL), 0);
	T_EQ(s.state, 'Z');
	T_OK(proc_is_same(pid, s.start_ticks));
	waitpid(pid, NULL, 0);
	T_OK(!proc_is_same(pid, s.start_ticks));
}

TEST(the_list_of_processes_is_ascending_and_has_us)
{
	pid_t *pids;
	size_t n, seen = 0;

	T_EQ(proc_list(getuid(), &pids, &n, NULL), 0);
	for (size_t i = 0; i < n; i++) {
		seen += pids[i] == getpid();
		T_OK(!i || pids[i - 1] < pids[i]);
	}
	T_EQ(seen, 1);
	free(pids);
	T_EQ(proc_list((uid_t)-2, &pids, &n, NULL), 0);
	T_EQ(n, 0);
	free(pids);
}
