#include "lib/proc/proc_sock.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/t.h"

static uint64_t inode_of(int fd)
{
	struct stat st;

	T_EQ(fstat(fd, &st), 0);
	return st.st_ino;
}

static struct proc_sock open_diag(void)
{
	struct proc_sock sock;
	struct err err;
	const int code = proc_sock_open(&sock, &err);

	if (code == -ENOSYS)
		t_skip("%s", err.text);
	T_EQ(code, 0);
	return sock;
}

TEST(unread_bytes_and_the_other_end_are_told_without_touching_either)
{
	struct proc_sock sock = open_diag();
	struct proc_sock_info info;
	int pair[2];
	char byte;

	T_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	T_EQ(proc_sock_find(&sock, inode_of(pair[0]), &info, NULL), 0);
	T_EQ(info.unread, 0);
	T_EQ(info.inode, inode_of(pair[0]));
	T_EQ(info.peer, inode_of(pair[1]));
	T_EQ(write(pair[1], "abc", 3), 3);
	T_EQ(proc_sock_find(&sock, inode_of(pair[0]), &info, NULL), 0);
	T_OK(info.has_queue);
	T_EQ(info.unread, 3);
	T_EQ(info.type, SOCK_STREAM);
	T_STR(info.name, "");
	T_EQ(proc_sock_find(&sock, inode_of(pair[1]), &info, NULL), 0);
	T_EQ(info.unread, 0);
	T_OK(info.unsent > 0);
	T_EQ(read(pair[0], &byte, 1), 1);
	T_EQ(proc_sock_find(&sock, inode_of(pair[0]), &info, NULL), 0);
	T_EQ(info.unread, 2);
	proc_sock_close(&sock);
}

TEST(a_socket_whose_other_end_is_closed_has_no_peer)
{
	struct proc_sock sock = open_diag();
	struct proc_sock_info info;
	int pair[2];

	T_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	close(pair[1]);
	T_EQ(proc_sock_find(&sock, inode_of(pair[0]), &info, NULL), 0);
	T_EQ(info.peer, 0);
	proc_sock_close(&sock);
}

TEST(a_bound_name_is_told_abstract_ones_with_an_at_sign)
{
	struct proc_sock sock = open_diag();
	struct proc_sock_info info;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char want[64];

	const int n = snprintf(want, sizeof(want), "@shmscope-test-%d", (int)getpid());
	memcpy(addr.sun_path + 1, want + 1, (size_t)n - 1);
	T_EQ(bind(fd, (void *)&addr, (socklen_t)(sizeof(sa_family_t) + (size_t)n)), 0);
	T_EQ(listen(fd, 1), 0);
	T_EQ(proc_sock_find(&sock, inode_of(fd), &info, NULL), 0);
	T_STR(info.name, want);
	T_OK(info.is_listening);
	proc_sock_close(&sock);
}

TEST(what_is_no_unix_socket_is_not_found)
{
	struct proc_sock sock = open_diag();
	struct proc_sock_info info = { .unread = 9 };
	struct err err;
	const int tcp = socket(AF_INET, SOCK_STREAM, 0);

	T_OK(tcp >= 0);
	T_EQ(proc_sock_find(&sock, inode_of(tcp), &info, &err), -ENOENT);
	T_HAS(err.text, "no unix socket here");
	T_EQ(proc_sock_find(&sock, 0, &info, &err), -ENOENT);
	T_EQ(proc_sock_find(&sock, 1ull << 40, &info, &err), -ENOENT);
	T_EQ(info.unread, 9);
	proc_sock_close(&sock);
}

TEST(unread_bytes_can_also_be_asked_of_a_borrowed_fd)
{
	uint32_t unread = 0;
	struct err err;
	int ends[2];

	T_EQ(pipe(ends), 0);
	T_EQ(write(ends[1], "hello", 5), 5);
	T_EQ(proc_sock_unread_by_fd(getpid(), ends[0], &unread, NULL), 0);
	T_EQ(unread, 5);
	T_EQ(proc_sock_unread_by_fd(getpid(), 9999, &unread, &err), -EBADF);
	T_EQ(proc_sock_unread_by_fd(0x3fffffff, 0, &unread, &err), -ESRCH);
}
