#include "lib/proc/proc_stat.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/t.h"

TEST(a_name_with_blanks_and_parentheses_does_not_shift_the_fields)
{
	struct proc_stat s;

	T_EQ(proc_stat_parse("4112 (a) S (b) R 17 1 1 0 -1 4194304 90 0 0 0 250 50 0 0 20 0 12 0 "
			     "987654 1000000 300 18446744073709551615 1 1",
			     &s),
	     0);
	T_EQ(s.pid, 4112);
	T_STR(s.comm, "a) S (b");
	T_EQ(s.state, 'R');
	T_EQ(s.ppid, 17);
	T_EQ(s.cpu_ticks, 300);
	T_EQ(s.threads, 12);
	T_EQ(s.start_ticks, 987654);
	T_EQ(s.rss_bytes, 300 * sysconf(_SC_PAGESIZE));
}

TEST(a_line_that_is_no_stat_line_is_refused)
{
	struct proc_stat s = { .pid = 7 };

	T_EQ(proc_stat_parse("", &s), -EBADMSG);
	T_EQ(proc_stat_parse("4112 (cut", &s), -EBADMSG);
	T_EQ(proc_stat_parse("4112 (cut) S 1 2", &s), -EBADMSG);
	T_EQ(proc_stat_parse(")(", &s), -EBADMSG);
	T_EQ(s.pid, 7);
}

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
