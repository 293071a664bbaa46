/*
 * Which argument means what stands in one table: a system call that is not in it is told by
 * its name. Everything read from the other process is checked and bounded, for it may have
 * gone on (or be corrupt) since the number was read.
 */
#include "lib/proc/proc_wait.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/as/as_mem.h"
#include "lib/as/as_proc.h"
#include "lib/base/cleanup.h"
#include "lib/base/units.h"
#include "lib/proc/proc_fd.h"
#include "lib/proc/proc_lock.h"
#include "lib/proc/proc_priv.h"
#include "lib/proc/proc_syscall.h"

enum { NS_PER_MS = 1000000, NS_PER_S = 1000000000, POLL_LIMIT = 1024 };

/* What the timeout argument is. */
enum form { FOREVER, MILLISECONDS, TIMESPEC, TIMEVAL, ABSOLUTE };

struct row {
	long nr;
	enum proc_wait_kind kind;
	int8_t fd;        /* index of the argument that is the fd; -1: none */
	int8_t timeout;   /* index of the timeout argument; -1: none */
	enum form form;
	const char *verb; /* said before the object */
};

static const struct row rows[] = {
	{ SYS_read, PROC_WAIT_READ, 0, -1, FOREVER, "read from" },
	{ SYS_pread64, PROC_WAIT_READ, 0, -1, FOREVER, "read from" },
	{ SYS_readv, PROC_WAIT_READ, 0, -1, FOREVER, "read from" },
	{ SYS_preadv, PROC_WAIT_READ, 0, -1, FOREVER, "read from" },
	{ SYS_preadv2, PROC_WAIT_READ, 0, -1, FOREVER, "read from" },
	{ SYS_getdents64, PROC_WAIT_READ, 0, -1, FOREVER, "list" },
	{ SYS_recvfrom, PROC_WAIT_READ, 0, -1, FOREVER, "recv from" },
	{ SYS_recvmsg, PROC_WAIT_READ, 0, -1, FOREVER, "recv from" },
	{ SYS_recvmmsg, PROC_WAIT_READ, 0, 4, TIMESPEC, "recv from" },
	{ SYS_accept, PROC_WAIT_READ, 0, -1, FOREVER, "accept on" },
	{ SYS_accept4, PROC_WAIT_READ, 0, -1, FOREVER, "accept on" },
	{ SYS_write, PROC_WAIT_WRITE, 0, -1, FOREVER, "write to" },
	{ SYS_pwrite64, PROC_WAIT_WRITE, 0, -1, FOREVER, "write to" },
	{ SYS_writev, PROC_WAIT_WRITE, 0, -1, FOREVER, "write to" },
	{ SYS_pwritev, PROC_WAIT_WRITE, 0, -1, FOREVER, "write to" },
	{ SYS_sendto, PROC_WAIT_WRITE, 0, -1, FOREVER, "send to" },
	{ SYS_sendmsg, PROC_WAIT_WRITE, 0, -1, FOREVER, "send to" },
	{ SYS_sendmmsg, PROC_WAIT_WRITE, 0, -1, FOREVER, "send to" },
	{ SYS_sendfile, PROC_WAIT_WRITE, 0, -1, FOREVER, "send to" },
	{ SYS_splice, PROC_WAIT_READ, 0, -1, FOREVER, "splice from" },
	{ SYS_fsync, PROC_WAIT_WRITE, 0, -1, FOREVER, "sync of" },
	{ SYS_fdatasync, PROC_WAIT_WRITE, 0, -1, FOREVER, "sync of" },
	{ SYS_ioctl, PROC_WAIT_OTHER, 0, -1, FOREVER, "ioctl on" },
	{ SYS_close, PROC_WAIT_OTHER, 0, -1, FOREVER, "close of" },
	{ SYS_fallocate, PROC_WAIT_OTHER, 0, -1, FOREVER, "fallocate of" },
	{ SYS_ftruncate, PROC_WAIT_OTHER, 0, -1, FOREVER, "truncate of" },
	{ SYS_io_uring_enter, PROC_WAIT_READ, 0, -1, FOREVER, "io_uring_enter on" },
	{ SYS_epoll_wait, PROC_WAIT_EPOLL, 0, 3, MILLISECONDS, "epoll_wait on" },
	{ SYS_epoll_pwait, PROC_WAIT_EPOLL, 0, 3, MILLISECONDS, "epoll_pwait on" },
#ifdef SYS_epoll_pwait2
	{ SYS_epoll_pwait2, PROC_WAIT_EPOLL, 0, 3, TIMESPEC, "epoll_pwait2 on" },
#endif
	{ SYS_poll, PROC_WAIT_POLL, -1, 2, MILLISECONDS, "poll on" },
	{ SYS_ppoll, PROC_WAIT_POLL, -1, 2, TIMESPEC, "ppoll on" },
	{ SYS_select, PROC_WAIT_POLL, -1, 4, TIMEVAL, "select on" },
	{ SYS_pselect6, PROC_WAIT_POLL, -1, 4, TIMESPEC, "pselect on" },
	{ SYS_futex, PROC_WAIT_FUTEX, -1, 3, TIMESPEC, "futex" },
	{ SYS_flock, PROC_WAIT_FLOCK, 0, -1, FOREVER, "flock on" },
	{ SYS_fcntl, PROC_WAIT_FLOCK, 0, -1, FOREVER, "fcntl lock on" },
	{ SYS_open, PROC_WAIT_OPEN, -1, -1, FOREVER, "open" },
	{ SYS_openat, PROC_WAIT_OPEN, -1, -1, FOREVER, "open" },
	{ SYS_connect, PROC_WAIT_CONNECT, 0, -1, FOREVER, "connect to" },
	{ SYS_nanosleep, PROC_WAIT_SLEEP, -1, 0, TIMESPEC, "nanosleep" },
	{ SYS_clock_nanosleep, PROC_WAIT_SLEEP, -1, 2, TIMESPEC, "clock_nanosleep" },
	{ SYS_wait4, PROC_WAIT_CHILD, -1, -1, FOREVER, "wait4 for" },
	{ SYS_waitid, PROC_WAIT_CHILD, -1, -1, FOREVER, "waitid for" },
	{ SYS_rt_sigtimedwait, PROC_WAIT_SIGNAL, -1, 2, TIMESPEC, "sigtimedwait" },
	{ SYS_rt_sigsuspend, PROC_WAIT_SIGNAL, -1, -1, FOREVER, "sigsuspend" },
	{ SYS_pause, PROC_WAIT_SIGNAL, -1, -1, FOREVER, "pause" },
	{ SYS_semop, PROC_WAIT_IPC, -1, -1, FOREVER, "semop" },
	{ SYS_semtimedop, PROC_WAIT_IPC, -1, 3, TIMESPEC, "semtimedop" },
	{ SYS_msgrcv, PROC_WAIT_IPC, -1, -1, FOREVER, "msgrcv" },
	{ SYS_msgsnd, PROC_WAIT_IPC, -1, -1, FOREVER, "msgsnd" },
	{ SYS_mq_timedreceive, PROC_WAIT_IPC, 0, 4, ABSOLUTE, "mq_receive from" },
	{ SYS_mq_timedsend, PROC_WAIT_IPC, 0, 4, ABSOLUTE, "mq_send to" },
	{ SYS_restart_syscall, PROC_WAIT_RESTART, -1, -1, FOREVER, "restart_syscall" },
};

static const struct row *row_of(long nr)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (rows[i].nr == nr)
			return &rows[i];
	return NULL;
}

static void set_clock(struct proc_wait *wait, enum form form, uint64_t arg)
{
	switch (form) {
	case FOREVER:
		break;
	case MILLISECONDS:
		if ((int32_t)arg >= 0) {
			wait->clock = PROC_CLOCK_SPAN;
			wait->timeout_ns = (uint64_t)(int32_t)arg * NS_PER_MS;
		}
		break;
	case TIMESPEC:
	case TIMEVAL:
		if (arg) {
			wait->clock = PROC_CLOCK_UNKNOWN;
			wait->clock_addr = arg;
		}
		break;
	case ABSOLUTE:
		if (arg)
			wait->clock = PROC_CLOCK_DEADLINE;
		break;
	}
}

static bool is_futex_wait(int op)
{
	switch (op) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
	case FUTEX_WAIT_REQUEUE_PI:
	case FUTEX_LOCK_PI:
#ifdef FUTEX_LOCK_PI2
	case FUTEX_LOCK_PI2:
#endif
		return true;
	default:
		return false;
	}
}

/* A futex's timeout counts from now only for FUTEX_WAIT; the operations that do not wait have
 * none: there the argument is a count. */
static enum form futex_form(int op)
{
	if (!is_futex_wait(op))
		return FOREVER;
	return op == FUTEX_WAIT ? TIMESPEC : ABSOLUTE;
}

/* What the arguments mean beyond fd and timeout. Returns the form of the timeout. */
static enum form decode_kind(const struct row *row, const uint64_t args[6], struct proc_wait *wait)
{
	switch (row->kind) {
	case PROC_WAIT_FUTEX:
		wait->addr = args[0];
		wait->futex_op = (int)args[1] & FUTEX_CMD_MASK;
		wait->expected = (uint32_t)args[2];
		return futex_form(wait->futex_op);
	case PROC_WAIT_POLL: {
		const bool is_select = row->nr == SYS_select || row->nr == SYS_pselect6;

		wait->addr = is_select ? args[1] : args[0];
		wait->count = (uint32_t)(is_select ? args[0] : args[1]);
		return row->form;
	}
	case PROC_WAIT_CONNECT:
		wait->addr = args[1];
		wait->count = (uint32_t)args[2];
		return row->form;
	case PROC_WAIT_OPEN:
		wait->addr = args[row->nr == SYS_openat];
		wait->count = args[row->nr == SYS_openat ? 2 : 1];
		return row->form;
	case PROC_WAIT_CHILD:
		if (row->nr == SYS_wait4)
			wait->child = (pid_t)args[0] > 0 ? (pid_t)args[0] : 0;
		else if ((int)args[0] == P_PID)
			wait->child = (pid_t)args[1];
		return row->form;
	case PROC_WAIT_FLOCK:
		if (row->nr == SYS_fcntl && (int)args[1] != F_SETLKW && (int)args[1] != F_OFD_SETLKW)
			wait->kind = PROC_WAIT_OTHER;
		return row->form;
	case PROC_WAIT_SLEEP:
		return row->nr == SYS_clock_nanosleep && (args[1] & TIMER_ABSTIME) ? ABSOLUTE
										   : row->form;
	default:
		return row->form;
	}
}

void proc_wait_decode(long nr, const uint64_t args[6], struct proc_wait *wait)
{
	const struct row *row = row_of(nr);

	*wait = (struct proc_wait){
		.nr = nr,
		.name = proc_syscall_name(nr),
		.kind = nr == -1 ? PROC_WAIT_NONE : row ? row->kind : PROC_WAIT_OTHER,
		.fd = -1,
	};
	if (!row)
		return;
	if (row->fd >= 0)
		wait->fd = (int)args[row->fd];
	const enum form form = decode_kind(row, args, wait);
	if (row->timeout >= 0)
		set_clock(wait, form, args[row->timeout]);
}

/* What the call was given, and the kernel has read: if it is not there any more it is not waited for,
 * for that may be what hangs. */
static int peek(pid_t pid, uint64_t addr, void *buf, size_t n)
{
	struct as_mem mem;
	CLOSES int dir = as_proc_open(pid);
	const int code = dir < 0 ? dir : as_mem_init(&mem, pid, dir, NULL, 0, NULL, NULL, 0);

	if (code)
		return code == -EPERM ? -EACCES : code;
	mem.only_present = true;
	const ssize_t got = as_mem_read(&mem, addr, buf, n);

	as_mem_fini(&mem);
	return got < 0 ? (int)got : got == (ssize_t)n ? 0 : -EFAULT;
}

static int look_at_clock(pid_t pid, struct proc_wait *wait)
{
	struct timespec span;
	const bool is_timeval = wait->nr == SYS_select;
	const int code = peek(pid, wait->clock_addr, &span, sizeof(span));

	if (code < 0)
		return code;
	/* a timeval has the same shape, with microseconds; nonsense stays unknown */
	const uint64_t s = (uint64_t)span.tv_sec, part = (uint64_t)span.tv_nsec;
	if (s > UINT64_MAX / NS_PER_S / 2 || part >= NS_PER_S)
		return -EINVAL;
	wait->timeout_ns = s * NS_PER_S + part * (is_timeval ? 1000 : 1);
	wait->clock = PROC_CLOCK_SPAN;
	return 0;
}

void proc_wait_set_address(struct proc_wait *wait, const void *from, size_t n)
{
	char *const out = wait->object;
	const size_t room = sizeof(wait->object);
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un local;
	} a = { 0 };
	char host[INET6_ADDRSTRLEN];

	memcpy(&a, from, n < sizeof(a) ? n : sizeof(a));
	switch (a.any.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &a.v4.sin_addr, host, sizeof(host));
		snprintf(out, room, "%s:%u", host, ntohs(a.v4.sin_port));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &a.v6.sin6_addr, host, sizeof(host));
		snprintf(out, room, "[%s]:%u", host, ntohs(a.v6.sin6_port));
		break;
	case AF_UNIX:
		if (a.local.sun_path[0])
			snprintf(out, room, "%.*s", (int)sizeof(a.local.sun_path), a.local.sun_path);
		else
			snprintf(out, room, "@%.*s", (int)sizeof(a.local.sun_path) - 1,
				 a.local.sun_path + 1);
		break;
	default:
		snprintf(out, room, "an address of family %u", a.any.sa_family);
	}
}

static int look_at_address(pid_t pid, struct proc_wait *wait)
{
	char bytes[sizeof(struct sockaddr_un)] = { 0 };
	size_t n = wait->count < sizeof(bytes) ? wait->count : sizeof(bytes);

	if (n < sizeof(sa_family_t))
		return -EINVAL;
	const int code = peek(pid, wait->addr, bytes, n);
	if (!code)
		proc_wait_set_address(wait, bytes, n);
	return code;
}

void proc_wait_set_path(struct proc_wait *wait, const void *from, size_t n)
{
	const char *path = from;

	snprintf(wait->object, sizeof(wait->object), "%.*s", (int)strnlen(path, n), path);
}

void proc_wait_set_place(struct proc_wait *wait, const char *where)
{
	static const struct {
		const char *begins, *server;
	} place[] = { { "request_wait_answer", "FUSE" }, { "fuse_", "FUSE" }, { "rpc_", "NFS" },
		      { "nfs", "NFS" }, { "p9_", "9p" }, { "wait_for_response", "SMB" },
		      { "smb", "SMB" }, { "cifs", "SMB" }, { "ceph", "Ceph" } };

	wait->is_fifo = wait->kind == PROC_WAIT_OPEN && (strcmp(where, "wait_for_partner") == 0 ||
							 strcmp(where, "fifo_open") == 0);
	for (size_t i = 0; i < sizeof(place) / sizeof(place[0]); i++)
		if (strncmp(where, place[i].begins, strlen(place[i].begins)) == 0)
			wait->server = place[i].server;
}

/* Only that tells: to look at the file itself is to wait for its filesystem, which may be what hangs. */
static void look_at_place(pid_t pid, pid_t tid, struct proc_wait *wait)
{
	CLOSES int dir = as_proc_open(pid);
	char where[64];

	if (dir >= 0 && as_proc_wchan(dir, tid, where, sizeof(where)) == 0)
		proc_wait_set_place(wait, where);
}

/* Calls that may have to do with a filesystem, and are not known to wait for something else. */
static bool may_wait_for_files(const struct proc_wait *wait)
{
	switch (wait->kind) {
	case PROC_WAIT_NONE:
	case PROC_WAIT_OTHER:
	case PROC_WAIT_OPEN:
	case PROC_WAIT_FLOCK:
		return true;
	case PROC_WAIT_READ:
	case PROC_WAIT_WRITE:
		return wait->object[0] == '/';
	default:
		return false;
	}
}

/* It may end right before a page that is not there. */
static int look_at_path(pid_t pid, struct proc_wait *wait)
{
	enum { PAGE = 4096 };
	char bytes[sizeof(wait->object)] = "";
	size_t n = PAGE - wait->addr % PAGE;
	int code;

	n = n < sizeof(bytes) ? n : sizeof(bytes);
	code = peek(pid, wait->addr, bytes, n);
	if (!code && n < sizeof(bytes) && strnlen(bytes, n) == n)
		peek(pid, wait->addr + n, bytes + n, sizeof(bytes) - n);
	if (code)
		return code;
	proc_wait_set_path(wait, bytes, sizeof(bytes));
	return 0;
}

static void add_fd(struct proc_wait *wait, int fd)
{
	if (wait->n_fds < PROC_WAIT_FDS)
		wait->fds[wait->n_fds] = fd;
	wait->n_fds++;
}

static int look_at_pollfds(pid_t pid, struct proc_wait *wait)
{
	struct pollfd fds[64];
	const uint64_t limit = wait->count < POLL_LIMIT ? wait->count : POLL_LIMIT;

	for (uint64_t at = 0; at < limit;) {
		const uint64_t n = limit - at < 64 ? limit - at : 64;
		const int code = peek(pid, wait->addr + at * sizeof(*fds), fds, n * sizeof(*fds));

		if (code < 0)
			return code;
		for (uint64_t i = 0; i < n; i++)
			if (fds[i].fd >= 0)
				add_fd(wait, fds[i].fd);
		at += n;
	}
	return 0;
}

static int look_at_fdset(pid_t pid, struct proc_wait *wait)
{
	fd_set set;
	const uint64_t limit = wait->count < FD_SETSIZE ? wait->count : FD_SETSIZE;

	if (!wait->addr || !limit)
		return 0;
	FD_ZERO(&set);
	const int code = peek(pid, wait->addr, &set, (limit + 63) / 64 * 8);
	if (code < 0)
		return code;
	for (int fd = 0; fd < (int)limit; fd++)
		if (FD_ISSET(fd, &set))
			add_fd(wait, fd);
	return 0;
}

/* Sets object and inode to what fd is. */
static int look_at_fd(pid_t pid, int number, struct proc_wait *wait)
{
	struct proc_fd fd;
	const int code = proc_fd_look(pid, number, &fd, NULL);

	if (code < 0)
		return code;
	snprintf(wait->object, sizeof(wait->object), "%s", fd.link);
	wait->inode = fd.inode;
	return 0;
}

static int read_name(pid_t pid, char *name, size_t room)
{
	const ssize_t n = proc_read(pid, "comm", name, room, NULL);

	name[n < 0 ? 0 : strcspn(name, "\n")] = '\0';
	return n < 0 ? (int)n : 0;
}

static int look_at_lock(pid_t pid, struct proc_wait *wait)
{
	char path[64];
	struct statx st;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, wait->fd);
	/* without asking a network filesystem's server, which may be what hangs */
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_INO, &st) != 0)
		return errno == ENOENT ? -EBADF : -errno;
	wait->inode = st.stx_ino;
	const pid_t holder = proc_lock_holder(pid, wait->inode, NULL);
	if (holder < 0)
		return holder;
	wait->holder = holder;
	wait->holder_unnamed = !holder;
	if (!holder)
		return 0;
	/* who took the lock may have ended, and left the open file to a child */
	const int code = read_name(holder, wait->holder_name, sizeof(wait->holder_name));
	wait->holder_ended = code == -ESRCH;
	return code;
}

/* "4120 (sleep)": the child that is waited for, or those that there are. */
static int look_at_child(pid_t pid, struct proc_wait *wait)
{
	char path[64], list[256], name[PROC_WAIT_NAME];
	int child = wait->child, others = 0;

	if (!child) {
		snprintf(path, sizeof(path), "task/%d/children", (int)pid);
		const ssize_t n = proc_read(pid, path, list, sizeof(list), NULL);

		if (n < 0)
			return (int)n;
		if (sscanf(list, "%d", &child) != 1)
			return -ENOENT;
		for (const char *p = strchr(list, ' '); p && p[1]; p = strchr(p + 1, ' '))
			others++;
	}
	const int code = read_name(child, name, sizeof(name));
	if (code)
		return code;
	snprintf(wait->object, sizeof(wait->object), "pid %d (%s)", child, name);
	if (others)
		snprintf(wait->object + strlen(wait->object),
			 sizeof(wait->object) - strlen(wait->object), " and %d more", others);
	return 0;
}

static int look_at_kind(pid_t pid, struct proc_wait *wait)
{
	switch (wait->kind) {
	case PROC_WAIT_CHILD:
		return look_at_child(pid, wait);
	case PROC_WAIT_POLL:
		if (wait->nr == SYS_select || wait->nr == SYS_pselect6)
			return look_at_fdset(pid, wait);
		return look_at_pollfds(pid, wait);
	case PROC_WAIT_OPEN:
		return look_at_path(pid, wait);
	case PROC_WAIT_CONNECT:
		return look_at_address(pid, wait);
	case PROC_WAIT_FLOCK:
		return look_at_lock(pid, wait);
	default:
		return 0;
	}
}

int proc_wait_look(pid_t pid, pid_t tid, struct proc_wait *wait)
{
	int first = wait->fd >= 0 ? look_at_fd(pid, wait->fd, wait) : 0;
	int code = look_at_kind(pid, wait);

	if (!first)
		first = code;
	if (may_wait_for_files(wait))
		look_at_place(pid, tid, wait);
	if (wait->n_fds == 1)
		look_at_fd(pid, wait->fds[0], wait);
	if (wait->clock == PROC_CLOCK_UNKNOWN) {
		code = look_at_clock(pid, wait);
		if (!first)
			first = code;
	}
	return first;
}

int proc_wait_read(pid_t pid, pid_t tid, struct proc_wait *wait, struct err *err)
{
	struct as_proc_syscall call;
	CLOSES int dir = as_proc_open(pid);
	const int code = dir < 0 ? dir : as_proc_syscall(dir, tid, &call);

	if (code < 0) {
		char name[64];

		snprintf(name, sizeof(name), "task/%d/syscall", (int)tid);
		return proc_fail(pid, name, code, err);
	}
	if (call.form == AS_PROC_RUNNING)
		return err_set(err, -EAGAIN, "pid %d: thread %d is running", (int)pid, (int)tid);
	proc_wait_decode(call.nr, call.args, wait);
	proc_wait_look(pid, tid, wait);
	return 0;
}

/* ---- the phrase ------------------------------------------------------------------------- */

struct out {
	char *buf;
	size_t room, n;
};

__attribute__((format(printf, 2, 3))) static void put(struct out *out, const char *fmt, ...)
{
	va_list ap;

	if (out->n + 1 >= out->room)
		return;
	va_start(ap, fmt);
	const int n = vsnprintf(out->buf + out->n, out->room - out->n, fmt, ap);
	va_end(ap);
	if (n > 0)
		out->n += (size_t)n;
}

static void put_clock(struct out *out, const struct proc_wait *wait)
{
	char span[UNITS_TEXT];

	switch (wait->clock) {
	case PROC_CLOCK_NONE:
		if (wait->kind == PROC_WAIT_EPOLL || wait->kind == PROC_WAIT_POLL)
			put(out, ", no timeout");
		break;
	case PROC_CLOCK_SPAN:
		put(out, "%s%s", wait->kind == PROC_WAIT_SLEEP ? " " : ", timeout ",
		    units_span(span, wait->timeout_ns));
		break;
	case PROC_CLOCK_DEADLINE:
		put(out, wait->kind == PROC_WAIT_SLEEP ? " until a deadline" : ", with a deadline");
		break;
	case PROC_CLOCK_UNKNOWN:
		if (wait->kind != PROC_WAIT_SLEEP)
			put(out, ", with a timeout");
		break;
	}
}

static void put_poll(struct out *out, const struct proc_wait *wait, const char *verb)
{
	if (!wait->n_fds) {
		const char *end = strrchr(verb, ' ');

		/* "poll" alone: its fds are not known, or there are none */
		put(out, "%.*s", end ? (int)(end - verb) : (int)strlen(verb), verb);
		return;
	}
	put(out, "%s fd ", verb);
	for (unsigned i = 0; i < wait->n_fds && i < PROC_WAIT_FDS; i++)
		put(out, "%s%d", i ? ", " : "", wait->fds[i]);
	if (wait->n_fds > PROC_WAIT_FDS)
		put(out, " and %u more", wait->n_fds - PROC_WAIT_FDS);
	else if (wait->n_fds == 1 && wait->object[0])
		put(out, " (%s)", wait->object);
}

static void put_object(struct out *out, const struct proc_wait *wait, const char *verb)
{
	if (wait->object[0])
		put(out, "%s %s (fd %d)", verb, wait->object, wait->fd);
	else if (wait->kind == PROC_WAIT_CONNECT)
		put(out, "connect of fd %d", wait->fd);
	else
		put(out, "%s fd %d", verb, wait->fd);
	if (wait->holder)
		put(out, " held by pid %d", (int)wait->holder);
	if (wait->holder && wait->holder_ended)
		put(out, ", which has ended and left it to who has that file open");
	else if (wait->holder && wait->holder_name[0])
		put(out, " (%s)", wait->holder_name);
	else if (wait->holder_unnamed)
		put(out, " held through an open file description: no process is noted");
	if (wait->holder && wait->holders_more)
		put(out, " and %u more", wait->holders_more);
}

static void put_child(struct out *out, const struct proc_wait *wait, const char *verb)
{
	if (!wait->child)
		put(out, "%s a child%s%s", verb, wait->object[0] ? ": " : "", wait->object);
	else if (wait->object[0])
		put(out, "%s %s", verb, wait->object);
	else
		put(out, "%s pid %d", verb, (int)wait->child);
}

/* Only a fifo makes an open wait for somebody; what else may take its time is not said to. */
static void put_open(struct out *out, const struct proc_wait *wait, const char *verb)
{
	const int mode = (int)wait->count & O_ACCMODE;

	put(out, "%s", verb);
	if (!wait->object[0])
		return;
	put(out, " %s", wait->object);
	if (wait->is_fifo && mode != O_RDWR)
		put(out, " to %s, until somebody opens it to %s", mode == O_RDONLY ? "read" : "write",
		    mode == O_RDONLY ? "write" : "read");
}

char *proc_wait_text(const struct proc_wait *wait, char *buf, size_t room)
{
	struct out out = { .buf = buf, .room = room };
	const struct row *row = row_of(wait->nr);

	buf[0] = '\0';
	if (wait->kind == PROC_WAIT_NONE)
		put(&out, "not in a system call");
	else if (!wait->name)
		put(&out, "system call %ld", wait->nr);
	else if (!row || (row->nr == SYS_fcntl && wait->kind == PROC_WAIT_OTHER))
		put(&out, "%s", wait->name);
	else if (wait->kind == PROC_WAIT_FUTEX)
		put(&out, "futex 0x%" PRIx64, wait->addr);
	else if (wait->kind == PROC_WAIT_EPOLL)
		put(&out, "%s fd %d", row->verb, wait->fd);
	else if (wait->kind == PROC_WAIT_POLL)
		put_poll(&out, wait, row->verb);
	else if (wait->kind == PROC_WAIT_OPEN)
		put_open(&out, wait, row->verb);
	else if (wait->kind == PROC_WAIT_CHILD)
		put_child(&out, wait, row->verb);
	else if (wait->fd >= 0)
		put_object(&out, wait, row->verb);
	else
		put(&out, "%s", row->verb);
	put_clock(&out, wait);
	if (wait->server)
		put(&out, ", for an answer of its filesystem (%s)", wait->server);
	return buf;
}
