#include "lib/proc/proc_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/t.h"

static enum proc_fd_kind kind_of(const char *link)
{
	struct proc_fd fd;

	proc_fd_parse(link, &fd);
	T_STR(fd.link, link);
	return fd.kind;
}

TEST(the_kind_of_a_file_is_read_from_its_link)
{
	T_EQ(kind_of("socket:[12]"), PROC_FD_SOCKET);
	T_EQ(kind_of("pipe:[12]"), PROC_FD_PIPE);
	T_EQ(kind_of("anon_inode:[eventpoll]"), PROC_FD_EPOLL);
	T_EQ(kind_of("anon_inode:inotify"), PROC_FD_INOTIFY);
	T_EQ(kind_of("pidfd:[9]"), PROC_FD_PIDFD);
	T_EQ(kind_of("anon_inode:[bpf-map]"), PROC_FD_OTHER);
	T_EQ(kind_of("/memfd:x (deleted)"), PROC_FD_MEMFD);
	T_EQ(kind_of("/dev/shm/demo.hub"), PROC_FD_FILE);
	T_EQ(kind_of("/dev/null"), PROC_FD_DEVICE);
	T_EQ(kind_of("/tmp/pipe:[12]"), PROC_FD_FILE);
	T_EQ(kind_of("net:[4026531840]"), PROC_FD_OTHER);
}

TEST(every_kind_has_a_name)
{
	for (int kind = 0; kind < PROC_FD_KINDS; kind++)
		T_OK(proc_fd_kind_name((enum proc_fd_kind)kind));
	T_STR(proc_fd_kind_name(PROC_FD_URING), "io_uring");
}

TEST(open_files_of_another_process_are_counted_by_kind)
{
	unsigned before[PROC_FD_KINDS], after[PROC_FD_KINDS];
	int pair[2], go[2];

	const int total = proc_fd_count(getpid(), before, NULL);
	T_OK(total > 0);
	T_EQ(pipe(go), 0);
	T_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	eventfd(0, 0);
	epoll_create1(0);
	timerfd_create(CLOCK_MONOTONIC, 0);
	memfd_create("x", 0);
	const pid_t pid = fork();
	if (pid == 0) {
		char c;
		close(go[1]);
		(void)!read(go[0], &c, 1);
		_exit(0);
	}
	/* it has its copies since fork returned; go[1] may be closed already or not */
	T_OK(proc_fd_count(pid, after, NULL) >= total + 7);
	T_EQ(after[PROC_FD_SOCKET] - before[PROC_FD_SOCKET], 2);
	T_EQ(after[PROC_FD_EVENTFD] - before[PROC_FD_EVENTFD], 1);
	T_EQ(after[PROC_FD_EPOLL] - before[PROC_FD_EPOLL], 1);
	T_EQ(after[PROC_FD_TIMERFD] - before[PROC_FD_TIMERFD], 1);
	T_EQ(after[PROC_FD_MEMFD] - before[PROC_FD_MEMFD], 1);
	close(go[1]);
	waitpid(pid, NULL, 0);
}

TEST(one_file_is_looked_at_by_number)
{
	struct proc_fd fd;
	struct err err;
	struct stat st;
	int pair[2];

	T_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fstat(pair[0], &st);
	T_EQ(proc_fd_look(getpid(), pair[0], &fd, NULL), 0);
	T_EQ(fd.fd, pair[0]);
	T_EQ(fd.kind, PROC_FD_SOCKET);
	T_EQ(fd.inode, st.st_ino);
	close(pair[0]);
	T_EQ(proc_fd_look(getpid(), pair[0], &fd, &err), -EBADF);
	T_EQ(proc_fd_look(0x3fffffff, 0, &fd, &err), -ESRCH);
}

static int stop_at_second(const struct proc_fd *fd, void *arg)
{
	int *seen = arg;

	(void)fd;
	return ++*seen == 2 ? 77 : 0;
}

TEST(a_walk_ends_where_the_caller_ends_it)
{
	int seen = 0;

	T_EQ(proc_fd_each(getpid(), stop_at_second, &seen, NULL), 77);
	T_EQ(seen, 2);
}

TEST(an_epoll_set_names_the_files_it_watches)
{
	struct epoll_event event = { .events = EPOLLIN };
	int pair[2], fds[1] = { -1 };
	const int set = epoll_create1(0);
	struct err err;

	T_EQ(proc_fd_epoll(getpid(), set, fds, 1, NULL), 0);
	T_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	T_EQ(epoll_ctl(set, EPOLL_CTL_ADD, pair[1], &event), 0);
	T_EQ(proc_fd_epoll(getpid(), set, fds, 1, NULL), 1);
	T_EQ(fds[0], pair[1]);
	T_EQ(epoll_ctl(set, EPOLL_CTL_ADD, pair[0], &event), 0);
	T_EQ(proc_fd_epoll(getpid(), set, fds, 1, NULL), 2);
	T_EQ(proc_fd_epoll(getpid(), pair[0], fds, 1, &err), -EINVAL);
	T_HAS(err.text, "is no epoll set");
	T_EQ(proc_fd_epoll(getpid(), 9999, fds, 1, &err), -EBADF);
}
