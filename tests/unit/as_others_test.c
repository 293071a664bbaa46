#include "lib/as/as_others.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "tests/t.h"

static struct as_others others;

static const struct as_others_file *ask(int fd)
{
	char path[64], link[128];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	const ssize_t n = readlink(path, link, sizeof(link));

	T_OK(n > 0);
	as_others_begin(&others);
	T_OK(as_others_want(&others, link, (size_t)n, true));
	as_others_ask(&others, getpid(), 0, UINT64_MAX);
	return &others.file[0];
}

/* We begin a session, so that who else runs on the machine does not matter. The child ends with us,
 * also where we may not kill it. */
static pid_t start_child(void)
{
	int life[2];
	char byte;

	T_OK(setsid() > 0 || getsid(0) == getpid());
	T_EQ(pipe(life), 0);
	const pid_t pid = fork();

	if (pid)
		return pid;
	close(life[1]);
	_exit(read(life[0], &byte, 1) > 0);
}

TEST(every_process_that_has_it_open_is_told_with_the_ways_that_it_can_use_it)
{
	int fd[2];

	T_EQ(pipe(fd), 0);
	const pid_t child = start_child();
	const struct as_others_file *f = ask(fd[0]);

	T_EQ(f->n, 2);
	T_OK(f->who[0].reads && f->who[0].writes);
	T_OK((f->who[0].pid == getpid() && f->who[1].pid == child) ||
	     (f->who[1].pid == getpid() && f->who[0].pid == child));
	T_OK(others.all);
	close(fd[1]);
	f = ask(fd[0]);
	for (unsigned i = 0; i < 2; i++)
		T_EQ(f->who[i].writes, f->who[i].pid == child);
}

TEST(one_of_the_session_that_may_not_be_looked_at_may_have_it)
{
	int fd[2];

	T_EQ(pipe(fd), 0);
	start_child();
	if (setgid(65534) || setuid(65534))
		t_skip("only root can become somebody else");
	/* its own files belong to root until it says otherwise */
	T_EQ(prctl(PR_SET_DUMPABLE, 1), 0);
	T_EQ(ask(fd[0])->n, 1);
	T_OK(!others.all);
	close(fd[0]);
}

TEST(without_time_nobody_is_asked_and_that_is_said)
{
	as_others_begin(&others);
	T_OK(as_others_want(&others, "pipe:[1]", 8, false));
	as_others_ask(&others, getpid(), 0, 1);
	T_EQ(others.file[0].n, 0);
	T_OK(!others.all);
}

TEST(there_is_room_for_some_and_twice_is_once)
{
	char is[32];

	as_others_begin(&others);
	for (int i = 0; i < AS_OTHERS_FILES; i++) {
		const int n = snprintf(is, sizeof(is), "pipe:[%d]", i);

		for (int twice = 0; twice < 2; twice++)
			T_OK(as_others_want(&others, is, (size_t)n, twice));
	}
	T_EQ(others.files, AS_OTHERS_FILES);
	T_OK(others.file[3].reads);
	T_OK(!as_others_want(&others, "pipe:[99]", 9, true));
	T_OK(as_others_want(&others, "pipe:[3]", 8, true));
}
