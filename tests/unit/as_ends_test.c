/* What threads wait on, held against a program that says it: tests/fixture/ends.c. */
#include "lib/as/as_ends.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/as/as_sys.h"
#include "tests/program.h"
#include "tests/t.h"

enum { TIDS = 16 };

static struct program prog;
static struct as_peek *peek;
static struct as_thread thread;
static struct as_ends ends;
static pid_t tids[TIDS];
static size_t n_tids;

/* Whom it is about: its threads are in tids[]. */
static void begin(const char *mode, const char *side)
{
	program_start(&prog, "ends", mode, getenv("TMPDIR"), NULL);
	program_expect(&prog, side);
	const pid_t pid = atoi(strchr(prog.line, ' '));

	program_expect(&prog, "ready");
	peek = mmap(NULL, as_peek_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	T_EQ(as_peek_init(peek, pid), 0);
	T_EQ(as_peek_refresh(peek), 0);
	T_EQ(as_proc_tids(peek->proc_fd, tids, TIDS, &n_tids), 0);
}

static void end(void)
{
	as_peek_fini(peek);
	program_end(&prog);
}

static bool look(const char *name)
{
	for (size_t i = 0; i < n_tids; i++) {
		as_peek_thread(peek, tids[i], &thread);
		if (strcmp(thread.comm, name) == 0)
			return as_ends_read(&ends, peek->proc_fd, &peek->unwinder.mem, &thread);
	}
	T_FAIL("no thread %s", name);
	return false;
}

static const char *link_of(unsigned i)
{
	static char link[AS_END_LINK + 1];

	link[as_ends_link(peek->proc_fd, &thread, &ends.end[i], link)] = '\0';
	return link;
}

static unsigned with_link(const char *start)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ends.listed; i++)
		n += strncmp(link_of(i), start, strlen(start)) == 0;
	return n;
}

TEST(an_epoll_set_has_all_that_was_put_into_it)
{
	begin("loop", "left");
	T_OK(look("left"));
	T_OK(ends.set >= 0);
	T_EQ(as_ends_set_of(&thread), ends.set);
	T_EQ(ends.n, 6);
	T_EQ(ends.listed, 6);
	T_OK(!ends.more);
	T_EQ(with_link("socket:["), 3);
	T_EQ(with_link("pipe:["), 1);
	T_EQ(with_link("anon_inode:[timerfd]"), 1);
	T_EQ(with_link("anon_inode:[eventfd]"), 1);
	T_EQ(ends.end[0].events & POLLIN, POLLIN);
	end();
}

TEST(a_poll_has_its_files_and_a_select_has_its_sets)
{
	begin("loop", "left");
	T_OK(look("poller"));
	T_EQ(ends.n, 2);
	T_EQ(ends.set, -1);
	T_EQ(with_link("pipe:["), 1);
	T_EQ(with_link("anon_inode:[eventfd]"), 1);
	T_OK(look("chooser"));
	T_EQ(ends.n, 1);
	T_EQ(ends.end[0].events, POLLIN);
	T_EQ(with_link("socket:["), 1);
	/* without its memory nobody knows */
	T_OK(!as_ends_read(&ends, peek->proc_fd, NULL, &thread));
	T_OK(!look("idle"));
	end();
}

TEST(of_very_many_files_some_are_listed_and_all_are_counted)
{
	program_start(&prog, "ends", "many", getenv("TMPDIR"), NULL);
	program_expect(&prog, "watched");
	const unsigned watched = (unsigned)atoi(strchr(prog.line, ' '));

	program_end(&prog);
	begin("many", "left");
	T_OK(look("left"));
	T_EQ(ends.n, watched);
	T_EQ(ends.listed, AS_ENDS);
	end();
}

TEST(what_is_written_to_is_waited_for_with_the_other_event)
{
	begin("full", "left");
	T_OK(look("left"));
	T_EQ(ends.n, 1);
	T_EQ(ends.end[0].events, POLLOUT);
	T_EQ(with_link("pipe:["), 1);
	end();
}

TEST(the_other_end_of_a_unix_socket_is_known_by_its_inode)
{
	const int diag = as_sys_socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	char link[64];
	struct stat st;
	int fd[2];

	T_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	T_EQ(fstat(fd[0], &st), 0);
	snprintf(link, sizeof(link), "socket:[%ju]", (uintmax_t)st.st_ino);
	const uint64_t peer = as_ends_peer(diag, link, strlen(link));

	T_EQ(fstat(fd[1], &st), 0);
	T_EQ(peer, st.st_ino);
	T_EQ(as_ends_peer(-1, link, strlen(link)), 0);
	T_EQ(as_ends_peer(diag, "pipe:[1]", 8), 0);
	close(fd[1]);
	T_EQ(as_ends_peer(diag, link, strlen(link)), 0);
	close(fd[0]);
	close(diag);
}

/* An epoll set goes on watching a file whose number was closed while another one has it open. */
TEST(a_number_that_is_another_file_by_now_is_not_told_for_the_watched_one)
{
	char link[AS_END_LINK];

	begin("full", "left");
	T_OK(look("left"));
	const struct as_waited same = ends.end[0], other = { .fd = same.fd, .inode = 1 };

	T_OK(as_ends_link(peek->proc_fd, &thread, &same, link) > 0);
	T_EQ(as_ends_link(peek->proc_fd, &thread, &other, link), 0);
	program_end(&prog);
}

TEST(a_named_pipe_is_told_from_a_file)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/fifo", getenv("TMPDIR"));
	T_EQ(mkfifo(path, 0600), 0);
	const int fifo = open(path, O_RDWR), self = as_proc_open(0), file = open("/proc/self/exe", O_RDONLY);

	T_OK(as_ends_is_fifo(self, getpid(), fifo));
	T_OK(!as_ends_is_fifo(self, getpid(), file));
	T_OK(!as_ends_is_fifo(self, getpid(), 9999));
	unlink(path);
}
