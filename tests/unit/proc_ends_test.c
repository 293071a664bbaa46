#include "lib/proc/proc_ends.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/t.h"

static uint64_t inode_of(int fd)
{
	struct stat st;

	T_EQ(fstat(fd, &st), 0);
	return st.st_ino;
}

/* A child that has everything open that we have, and is called "other". */
static pid_t start_other(void)
{
	int said[2];
	char byte;

	T_EQ(pipe(said), 0);
	const pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "other");
		if (write(said[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	T_EQ(read(said[0], &byte, 1), 1);
	close(said[0]);
	close(said[1]);
	return pid;
}

static void end_other(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static struct proc_ends ends;
static struct proc_end who[4];

static size_t ask(const char *kind, uint64_t inode, enum proc_ends_mode mode)
{
	char link[64];

	snprintf(link, sizeof(link), "%s:[%ju]", kind, (uintmax_t)inode);
	memset(who, 0, sizeof(who));
	T_EQ(proc_ends_scan(&ends, 10000000), 0);
	return proc_ends_who(&ends, link, mode, who, 4);
}

TEST(the_writers_and_the_readers_of_a_pipe_are_told_apart)
{
	int fd[2];

	T_EQ(pipe(fd), 0);
	const pid_t other = start_other();

	close(fd[1]);
	T_EQ(ask("pipe", inode_of(fd[0]), PROC_ENDS_WRITERS), 1);
	T_EQ(who[0].pid, other);
	T_EQ(who[0].fd, fd[1]);
	T_STR(who[0].name, "other");
	T_EQ(ask("pipe", inode_of(fd[0]), PROC_ENDS_READERS), 2);
	T_EQ(ask("pipe", inode_of(fd[0]), PROC_ENDS_ANY), 2);
	end_other(other);
	T_EQ(ask("pipe", inode_of(fd[0]), PROC_ENDS_WRITERS), 0);
	close(fd[0]);
}

/* No relative: its parent has ended, and it is in a session of its own. */
TEST(a_process_that_is_no_relative_is_found_too)
{
	int fd[2], said[2];
	pid_t other;

	T_EQ(pipe(fd), 0);
	T_EQ(pipe(said), 0);
	const pid_t between = fork();

	if (!between) {
		const pid_t pid = fork();

		if (!pid) {
			setsid();
			if (write(said[1], &(pid_t){ getpid() }, sizeof(pid_t)) != sizeof(pid_t))
				_exit(1);
			for (;;)
				pause();
		}
		_exit(0);
	}
	waitpid(between, NULL, 0);
	T_EQ(read(said[0], &other, sizeof(other)), sizeof(other));
	close(fd[1]);
	T_EQ(ask("pipe", inode_of(fd[0]), PROC_ENDS_WRITERS), 1);
	T_EQ(who[0].pid, other);
	kill(other, SIGKILL);
	close(fd[0]);
}

TEST(a_socket_is_found_by_its_inode)
{
	int fd[2];

	T_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	const uint64_t inode = inode_of(fd[1]);
	const pid_t other = start_other();

	close(fd[1]);
	T_EQ(ask("socket", inode, PROC_ENDS_ANY), 1);
	T_EQ(who[0].pid, other);
	end_other(other);
	close(fd[0]);
}

TEST(a_scan_that_has_no_time_does_not_say_that_it_saw_all)
{
	T_EQ(proc_ends_scan(&ends, 0), 0);
	T_OK(ends.is_cut);
	T_OK(!proc_ends_is_all(&ends, getpid()));
	proc_ends_fini(&ends);
	T_EQ(ends.n, 0);
}

/* As a user that may not look at us: our session has a process that it knows nothing about. */
TEST(what_may_not_be_looked_at_counts_if_it_is_of_the_same_session)
{
	int status;

	if (getuid() != 0)
		t_skip("needs root, to become somebody else");
	const pid_t pid = fork();

	if (!pid) {
		if (setgid(65534) || setuid(65534) || proc_ends_scan(&ends, 10000000))
			_exit(2);
		_exit(!ends.refused || proc_ends_is_all(&ends, getppid()));
	}
	T_EQ(waitpid(pid, &status, 0), pid);
	T_EQ(status, 0);
}
