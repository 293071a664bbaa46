#include "lib/proc/proc_ends.h"

#include <errno.h>
#include <signal.h>
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

TEST(the_writer_of_a_pipe_is_a_child)
{
	struct proc_end end;
	int fd[2];

	T_EQ(pipe(fd), 0);
	const pid_t other = start_other();

	close(fd[1]);
	T_EQ(proc_ends_pipe(getpid(), inode_of(fd[0]), true, &end), 0);
	T_EQ(end.pid, other);
	T_STR(end.name, "other");
	T_OK(!end.self);
	T_EQ(end.others, 0);
	/* and seen from there, its reader is its parent */
	T_EQ(proc_ends_pipe(other, inode_of(fd[0]), false, &end), 0);
	T_EQ(end.pid, getpid());
	T_OK(end.self);
	end_other(other);
	close(fd[0]);
}

TEST(a_process_may_wait_for_what_only_it_could_write)
{
	struct proc_end end;
	int fd[2];

	T_EQ(pipe(fd), 0);
	T_EQ(proc_ends_pipe(getpid(), inode_of(fd[0]), true, &end), 0);
	T_OK(end.self);
	T_EQ(end.pid, 0);
	close(fd[1]);
	T_EQ(proc_ends_pipe(getpid(), inode_of(fd[0]), true, &end), 0);
	T_OK(!end.self);
	close(fd[0]);
}

TEST(a_socket_is_found_by_its_inode)
{
	struct proc_end end;
	int fd[2];

	T_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	const uint64_t inode = inode_of(fd[1]);
	const pid_t other = start_other();

	close(fd[1]);
	T_EQ(proc_ends_socket(getpid(), inode, &end), 0);
	T_EQ(end.pid, other);
	T_OK(!end.self);
	end_other(other);
	close(fd[0]);
}

TEST(nobody_can_be_asked_about_who_is_not_there)
{
	struct proc_end end;

	T_EQ(proc_ends_pipe(INT32_MAX, 1, true, &end), -ESRCH);
}
