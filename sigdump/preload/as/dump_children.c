#include <errno.h>
#include <fcntl.h>

#include "lib/as/as_control.h"
#include "lib/as/as_proc.h"
#include "lib/as/as_sys.h"
#include "sigdump/preload/as/dump_children.h"
#include "sigdump/preload/as/dump_state.h"

/* The kernel's directory entry. */
struct entry {
	uint64_t ino;
	int64_t off;
	uint16_t bytes;
	uint8_t type;
	char name[];
};

static const char *reason_of(int err)
{
	switch (err) {
	case 0:
		return NULL;
	case -ENOENT:
		return "it has no dumper of its own";
	case -ENOPKG:
		return "it does not have the library";
	case -ESRCH:
		return "it ended";
	case -EACCES:
	case -EPERM:
		return "not allowed to look at it";
	default:
		return "its dumper could not be asked";
	}
}

static int ask(int proc_fd, pid_t pid, uint64_t family, char *buf, size_t room)
{
	struct as_control_found found;
	struct as_control_link link;
	uint32_t ticket;

	int err = as_control_find(proc_fd, pid, &found, buf, room);
	if (err)
		return err;
	if (!found.library)
		return -ENOPKG;
	err = as_control_open(proc_fd, &found, &link);
	if (err)
		return err;
	err = as_control_ask(&link, family, dump_state.pid, &ticket);
	as_control_close(&link);
	return err;
}

static bool is_registered(pid_t pid)
{
	for (size_t i = 0; i < SIGDUMP_CHILDREN; i++)
		/* relaxed: a number on its own */
		if (atomic_load_explicit(&dump_state.child[i], memory_order_relaxed) == pid)
			return true;
	return false;
}

static void tell(struct as_record *r, pid_t pid, bool registered, uint64_t family, char *buf,
		 size_t room)
{
	struct as_proc_stat st;
	const int proc_fd = as_proc_open(pid);
	int err = proc_fd < 0 ? -ESRCH : as_proc_stat(proc_fd, 0, &st);

	if (err) {
		if (registered)
			as_record_child(r, pid, NULL, reason_of(-ESRCH));
	} else if (registered || st.ppid == dump_state.pid) {
		err = ask(proc_fd, pid, family, buf, room);
		if (registered || err != -ENOPKG)
			as_record_child(r, pid, &st, reason_of(err));
	}
	if (proc_fd >= 0)
		as_sys_close(proc_fd);
}

static pid_t number_of(const char *name)
{
	pid_t pid = 0;

	for (; *name >= '0' && *name <= '9' && pid < 100000000; name++)
		pid = pid * 10 + (*name - '0');
	return *name ? 0 : pid;
}

static bool late(uint64_t until_ns)
{
	return as_sys_clock_ns(CLOCK_MONOTONIC) >= until_ns;
}

/* Those that nobody registered: processes whose parent we are. */
static void tell_others(struct as_record *r, uint64_t family, char *buf, size_t room,
			uint64_t until_ns)
{
	const size_t half = room / 2;
	const int dir = as_sys_openat(AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	int n;

	if (dir < 0)
		return;
	while (!late(until_ns) && (n = as_sys_getdents64(dir, buf, half)) > 0)
		for (int at = 0; at < n;) {
			const struct entry *e = (const void *)(buf + at);
			const pid_t pid = number_of(e->name);

			at += e->bytes;
			if (pid && pid != dump_state.pid && !is_registered(pid))
				tell(r, pid, false, family, buf + half, room - half);
		}
	as_sys_close(dir);
}

void dump_children_tell(struct as_record *r, uint64_t family, char *buf, size_t room,
			uint64_t until_ns)
{
	for (size_t i = 0; i < SIGDUMP_CHILDREN && !late(until_ns); i++) {
		/* relaxed: a number on its own */
		const pid_t pid =
			atomic_load_explicit(&dump_state.child[i], memory_order_relaxed);
		if (pid)
			tell(r, pid, true, family, buf, room);
	}
	tell_others(r, family, buf, room, until_ns);
}
