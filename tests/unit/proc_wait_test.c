#include "lib/proc/proc_wait.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/t.h"

static const char *text_of(long nr, const uint64_t args[6])
{
	static char buf[256];
	struct proc_wait wait;

	proc_wait_decode(nr, args, &wait);
	return proc_wait_text(&wait, buf, sizeof(buf));
}

#define TEXT(nr, ...) text_of((nr), (const uint64_t[6]){ __VA_ARGS__ })

TEST(numbers_alone_already_make_a_phrase)
{
	T_STR(TEXT(SYS_epoll_wait, 7, 0x7ffc, 64, (uint64_t)-1), "epoll_wait on fd 7, no timeout");
	T_STR(TEXT(SYS_epoll_wait, 7, 0x7ffc, 64, 0xffffffff), "epoll_wait on fd 7, no timeout");
	T_STR(TEXT(SYS_epoll_wait, 7, 0x7ffc, 64, 1500), "epoll_wait on fd 7, timeout 1.5 s");
	T_STR(TEXT(SYS_futex, 0x55d0c0a8, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 2), "futex 0x55d0c0a8");
	T_STR(TEXT(SYS_futex, 0x1000, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 2, 0x2000),
	      "futex 0x1000, with a deadline");
	T_STR(TEXT(SYS_futex, 0x1000, FUTEX_WAKE, 1, 0x2000), "futex 0x1000");
	T_STR(TEXT(SYS_read, 5), "read from fd 5");
	T_STR(TEXT(SYS_poll, 0x1000, 3, (uint64_t)-1), "poll, no timeout");
	T_STR(TEXT(SYS_pselect6, 9, 0, 0, 0, 0x1000), "pselect, with a timeout");
	T_STR(TEXT(SYS_flock, 3, LOCK_EX), "flock on fd 3");
	T_STR(TEXT(SYS_fcntl, 3, F_SETLKW, 0x1000), "fcntl lock on fd 3");
	T_STR(TEXT(SYS_fcntl, 3, F_GETFL), "fcntl");
	T_STR(TEXT(SYS_connect, 4, 0x1000, 16), "connect of fd 4");
	T_STR(TEXT(SYS_wait4, (uint64_t)-1), "wait4 for a child");
	T_STR(TEXT(SYS_wait4, 41), "wait4 for pid 41");
	T_STR(TEXT(SYS_waitid, P_PID, 42), "waitid for pid 42");
	T_STR(TEXT(SYS_nanosleep, 0x1000), "nanosleep");
	T_STR(TEXT(SYS_clock_nanosleep, 0, TIMER_ABSTIME, 0x1000), "clock_nanosleep until a deadline");
	T_STR(TEXT(SYS_restart_syscall, 1, 2, 3), "restart_syscall");
	T_STR(TEXT(SYS_getpid, 1, 2, 3), "getpid");
	T_STR(TEXT(99999, 1, 2, 3), "system call 99999");
	T_STR(TEXT(-1, 1, 2, 3), "not in a system call");
}

TEST(a_phrase_is_cut_to_its_room)
{
	struct proc_wait wait;
	char buf[8];

	proc_wait_decode(SYS_epoll_wait, (const uint64_t[6]){ 7 }, &wait);
	T_STR(proc_wait_text(&wait, buf, sizeof(buf)), "epoll_w");
	T_STR(proc_wait_text(&wait, buf, 1), "");
}

TEST(what_a_futex_expects_is_kept)
{
	struct proc_wait wait;

	proc_wait_decode(SYS_futex, (const uint64_t[6]){ 0x1000, FUTEX_LOCK_PI_PRIVATE, 7 }, &wait);
	T_EQ(wait.kind, PROC_WAIT_FUTEX);
	T_EQ(wait.futex_op, FUTEX_LOCK_PI);
	T_EQ(wait.expected, 7);
	T_EQ(wait.addr, 0x1000);
	T_EQ(wait.fd, -1);
}

/* ---- children that block, and the phrase for them ---------------------------------------- */

static pid_t child;

static void start(void (*block)(void *arg), void *arg)
{
	child = fork();
	T_OK(child >= 0);
	if (child)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	block(arg);
	_exit(1);
}

/* The phrase once the child is blocked in call `nr`; ends the child. */
static const char *phrase(long nr, struct proc_wait *wait)
{
	static char buf[512];
	const struct timespec moment = { .tv_nsec = 1000000 };
	int code;

	for (int i = 0; i < 5000; i++) {
		code = proc_wait_read(child, child, wait, NULL);
		if (code == 0 && wait->nr == nr)
			break;
		if (code == -EACCES)
			t_skip("/proc/PID/syscall may not be read here");
		nanosleep(&moment, NULL);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	T_EQ(wait->nr, nr);
	return proc_wait_text(wait, buf, sizeof(buf));
}

static const char *linked(int fd)
{
	static char link[256];
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	const ssize_t n = readlink(path, link, sizeof(link) - 1);
	T_OK(n > 0);
	link[n] = '\0';
	return link;
}

static void block_in_read(void *arg)
{
	char c;

	(void)!read(*(int *)arg, &c, 1);
}

TEST(a_read_names_its_pipe)
{
	struct proc_wait wait;
	char want[300];
	int ends[2];

	T_EQ(pipe(ends), 0);
	start(block_in_read, ends);
	snprintf(want, sizeof(want), "read from %s (fd %d)", linked(ends[0]), ends[0]);
	T_STR(phrase(SYS_read, &wait), want);
	T_EQ(wait.kind, PROC_WAIT_READ);
	T_OK(wait.inode > 0);
}

static void block_in_epoll(void *arg)
{
	struct epoll_event event;

	epoll_wait(*(int *)arg, &event, 1, 3600000);
}

TEST(an_epoll_wait_names_its_set_and_its_timeout)
{
	struct proc_wait wait;
	char want[100];
	int set = epoll_create1(0);

	start(block_in_epoll, &set);
	snprintf(want, sizeof(want), "epoll_wait on fd %d, timeout 1 h 0 m", set);
	T_STR(phrase(SYS_epoll_wait, &wait), want);
}

static void block_in_poll(void *arg)
{
	const int *ends = arg;
	struct pollfd fds[] = { { .fd = -1 }, { .fd = ends[0], .events = POLLIN } };

	poll(fds, 2, -1);
}

TEST(a_poll_names_the_file_it_watches)
{
	struct proc_wait wait;
	char want[300];
	int ends[2];

	T_EQ(pipe(ends), 0);
	start(block_in_poll, ends);
	snprintf(want, sizeof(want), "poll on fd %d (%s), no timeout", ends[0], linked(ends[0]));
	T_STR(phrase(SYS_poll, &wait), want);
}

static void block_in_big_poll(void *arg)
{
	struct pollfd fds[200];

	for (int i = 0; i < 200; i++)
		fds[i] = (struct pollfd){ .fd = *(int *)arg, .events = POLLIN };
	poll(fds, 200, -1);
}

TEST(a_poll_on_many_files_names_the_first_and_counts_the_rest)
{
	struct proc_wait wait;
	char want[300];
	int ends[2];

	T_EQ(pipe(ends), 0);
	start(block_in_big_poll, ends);
	const int a = ends[0];
	snprintf(want, sizeof(want),
		 "poll on fd %d, %d, %d, %d, %d, %d, %d, %d and 192 more, no timeout", a, a, a, a,
		 a, a, a, a);
	T_STR(phrase(SYS_poll, &wait), want);
}

static void block_in_select(void *arg)
{
	fd_set set;
	struct timeval span = { .tv_sec = 100, .tv_usec = 500000 };

	FD_ZERO(&set);
	FD_SET(*(int *)arg, &set);
	syscall(SYS_select, *(int *)arg + 1, &set, NULL, NULL, &span);
}

TEST(a_select_names_the_file_it_reads)
{
	struct proc_wait wait;
	char want[300];
	int ends[2];

	T_EQ(pipe(ends), 0);
	start(block_in_select, ends);
	snprintf(want, sizeof(want), "select on fd %d (%s), timeout 1 m 40 s", ends[0],
		 linked(ends[0]));
	T_STR(phrase(SYS_select, &wait), want);
}

static void block_in_sleep(void *arg)
{
	const struct timespec *span = arg;

	syscall(SYS_nanosleep, span, NULL);
}

TEST(a_sleep_tells_how_long)
{
	struct timespec span = { .tv_sec = 50, .tv_nsec = 300000000 };
	struct proc_wait wait;

	start(block_in_sleep, &span);
	T_STR(phrase(SYS_nanosleep, &wait), "nanosleep 50.3 s");
}

static void block_in_flock(void *arg)
{
	const int fd = open(arg, O_RDWR);

	flock(fd, LOCK_EX);
}

TEST(a_flock_names_the_file_and_its_holder)
{
	const char *dir = getenv("TMPDIR");
	struct proc_wait wait;
	char path[200], want[300];

	snprintf(path, sizeof(path), "%s/lock.%d", dir ? dir : "/tmp", (int)getpid());
	const int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	T_EQ(flock(fd, LOCK_EX), 0);
	start(block_in_flock, path);
	const char *got = phrase(SYS_flock, &wait);
	unlink(path);
	snprintf(want, sizeof(want), "flock on %s (fd %d) held by pid %d (proc_wait_test)", path, fd + 1,
		 (int)getpid());
	T_STR(got, want);
}

static void block_in_fcntl(void *arg)
{
	struct flock lock = { .l_type = F_WRLCK };

	fcntl(*(int *)arg, F_SETLKW, &lock);
}

TEST(a_record_lock_names_its_holder_too)
{
	const char *dir = getenv("TMPDIR");
	struct flock lock = { .l_type = F_WRLCK };
	struct proc_wait wait;
	char path[200], want[300];

	snprintf(path, sizeof(path), "%s/lock.%d", dir ? dir : "/tmp", (int)getpid());
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	T_EQ(fcntl(fd, F_SETLK, &lock), 0);
	start(block_in_fcntl, &fd);
	const char *got = phrase(SYS_fcntl, &wait);
	unlink(path);
	snprintf(want, sizeof(want), "fcntl lock on %s (fd %d) held by pid %d (proc_wait_test)", path, fd,
		 (int)getpid());
	T_STR(got, want);
}

struct target {
	struct sockaddr_un addr;
	socklen_t n;
	int fd;
};

static void block_in_connect(void *arg)
{
	struct target *target = arg;

	/* the queue of connections takes one or two, then blocks */
	for (;;) {
		target->fd = socket(AF_UNIX, SOCK_STREAM, 0);
		connect(target->fd, (void *)&target->addr, target->n);
	}
}

TEST(a_connect_names_the_address)
{
	struct target target = { .addr = { .sun_family = AF_UNIX } };
	struct proc_wait wait;
	char want[100];

	snprintf(target.addr.sun_path + 1, 100, "shmscope-wait-%d", (int)getpid());
	target.n = (socklen_t)(sizeof(sa_family_t) + 1 + strlen(target.addr.sun_path + 1));
	const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	T_EQ(bind(fd, (void *)&target.addr, target.n), 0);
	T_EQ(listen(fd, 0), 0);
	start(block_in_connect, &target);
	snprintf(want, sizeof(want), "connect to @shmscope-wait-%d (fd ", (int)getpid());
	T_HAS(phrase(SYS_connect, &wait), want);
}

static void show_address(const void *addr, socklen_t n, const char *want)
{
	/* our own memory is as good as another's: process_vm_readv reads it the same way */
	const uint64_t args[6] = { 0, (uintptr_t)addr, n };
	struct proc_wait wait;

	proc_wait_decode(SYS_connect, args, &wait);
	proc_wait_look(getpid(), gettid(), &wait);
	T_STR(wait.object, want);
}

TEST(internet_addresses_are_written_with_their_port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(80) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(443) };
	struct sockaddr other = { .sa_family = 250 };

	inet_pton(AF_INET, "127.0.0.1", &v4.sin_addr);
	inet_pton(AF_INET6, "fe80::1", &v6.sin6_addr);
	show_address(&v4, sizeof(v4), "127.0.0.1:80");
	show_address(&v6, sizeof(v6), "[fe80::1]:443");
	show_address(&other, sizeof(other), "an address of family 250");
}

TEST(memory_that_cannot_be_read_leaves_the_phrase_general)
{
	struct proc_wait wait;
	char buf[100];

	proc_wait_decode(SYS_poll, (const uint64_t[6]){ 8, 1ull << 31, 100 }, &wait);
	T_EQ(proc_wait_look(getpid(), gettid(), &wait), -EFAULT);
	T_STR(proc_wait_text(&wait, buf, sizeof(buf)), "poll, timeout 0.1 s");
	proc_wait_decode(SYS_read, (const uint64_t[6]){ 9999 }, &wait);
	T_EQ(proc_wait_look(getpid(), gettid(), &wait), -EBADF);
	T_STR(proc_wait_text(&wait, buf, sizeof(buf)), "read from fd 9999");
}

static void spin(void *arg)
{
	(void)arg;
	for (;;)
		__asm__ volatile("");
}

TEST(a_running_thread_waits_for_nothing)
{
	struct proc_wait wait;
	struct err err;
	int code = 0;

	start(spin, NULL);
	/* at first it may still be on its way out of fork */
	for (int i = 0; i < 100000 && code == 0; i++)
		code = proc_wait_read(child, child, &wait, &err);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	T_EQ(code, -EAGAIN);
	T_HAS(err.text, "is running");
	T_EQ(proc_wait_read(child, child, &wait, &err), -ESRCH);
}

/* With a page of which only a userfaultfd's owner could say what is in it. */
TEST(a_page_that_somebody_else_has_to_fill_in_is_not_waited_for)
{
	struct uffdio_api api = { .api = UFFD_API };
	void *const page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_register reg = { .range = { (uintptr_t)page, 4096 },
				       .mode = UFFDIO_REGISTER_MODE_MISSING };
	const int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	const uint64_t at = (uintptr_t)page;
	const struct {
		long nr;
		uint64_t args[6];
		const char *text;
	} call[] = { { SYS_nanosleep, { at }, "nanosleep" },
		     { SYS_openat, { (uint64_t)AT_FDCWD, at }, "open" },
		     { SYS_connect, { 900, at, 16 }, "connect of fd 900" },
		     { SYS_poll, { at, 2, (uint64_t)-1 }, "poll, no timeout" } };
	struct proc_wait wait;
	char buf[256];

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) != 0)
		t_skip("no userfaultfd here");
	T_OK(page != MAP_FAILED && ioctl(fd, UFFDIO_REGISTER, &reg) == 0);
	for (size_t i = 0; i < sizeof(call) / sizeof(call[0]); i++) {
		proc_wait_decode(call[i].nr, call[i].args, &wait);
		proc_wait_look(getpid(), gettid(), &wait);
		T_STR(proc_wait_text(&wait, buf, sizeof(buf)), call[i].text);
	}
}
