#include "lib/proc/proc_target.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/t.h"

/* A child with that name that lives until it is killed. */
static pid_t start_child(const char *name)
{
	int ready[2];
	char c;

	T_EQ(pipe(ready), 0);
	const pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, name);
		(void)!write(ready[1], "", 1);
		for (;;)
			pause();
	}
	T_EQ(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

TEST(pids_and_a_name_that_one_process_has_are_found)
{
	const pid_t child = start_child("t-target-one");
	char list[80];
	pid_t pid[3];
	size_t n = 0;

	snprintf(list, sizeof(list), "%d,t-target-one", (int)getpid());
	T_EQ(proc_target(list, pid, 3, &n, NULL), 0);
	T_EQ(n, 2);
	T_EQ(pid[0], getpid());
	T_EQ(pid[1], child);
	T_EQ(proc_target("t-target-one,t-target-one", pid, 3, &n, NULL), -E2BIG);
	end_child(child);
}

TEST(a_name_that_several_have_is_refused_with_their_pids)
{
	const pid_t a = start_child("t-target-two"), b = start_child("t-target-two");
	char number[16];
	struct err err;
	pid_t pid[1];
	size_t n = 0;

	T_EQ(proc_target("t-target-two", pid, 1, &n, &err), -EINVAL);
	T_HAS(err.text, "t-target-two: 2 processes have this name (");
	snprintf(number, sizeof(number), "%d", (int)b);
	T_HAS(err.text, number);
	T_EQ(n, 0);
	end_child(a);
	end_child(b);
}

TEST(what_is_not_there_is_said)
{
	struct err err;
	pid_t pid[1];
	size_t n = 0;

	T_EQ(proc_target("no-such-process-x", pid, 1, &n, &err), -ESRCH);
	T_STR(err.text, "no-such-process-x: no process of this name");
	T_EQ(proc_target("2147483647", pid, 1, &n, &err), -ESRCH);
	T_STR(err.text, "pid 2147483647: no such process");
	T_EQ(proc_target(",", pid, 1, &n, &err), -EINVAL);
	T_STR(err.text, "\",\" is not a list of pids or names");
}
