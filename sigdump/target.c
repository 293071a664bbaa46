#include "sigdump/target.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/as/as_sys.h"
#include "lib/base/grow.h"
#include "lib/base/text.h"
#include "lib/proc/proc_status.h"

enum { MAPS_ROOM = 65536, SLICE_NS = 100000000 };

static int gone(pid_t pid, int code, struct err *err)
{
	if (code == -EACCES || code == -EPERM) {
		err_set(err, -EACCES, "pid %d: not allowed to look at it (it is not yours)", (int)pid);
		err_next(err, "run as its user, or as root");
		return -EACCES;
	}
	err_set(err, -ESRCH, "pid %d: no such process", (int)pid);
	err_next(err, "`sigdump list` shows those that have the library");
	return -ESRCH;
}

/* Not dumpable (it gave up root, say): its files in /proc belong to root then. */
static bool is_hidden(const struct target *t)
{
	struct proc_status status;
	struct stat st;

	/* (its directory there keeps the owner) */
	return as_sys_fstatat(t->proc_fd, "stat", &st, 0) == 0 && st.st_uid == 0 &&
	       proc_status(t->pid, t->pid, &status, NULL) == 0 && status.uid != 0;
}

int target_init(struct target *t, pid_t pid, struct err *err)
{
	char *buf = malloc(MAPS_ROOM);

	memset(t, 0, sizeof(*t));
	t->pid = pid;
	t->link.bell_fd = -1;
	t->proc_fd = as_proc_open(pid);
	int code = t->proc_fd < 0 ? t->proc_fd : as_proc_stat(t->proc_fd, 0, &t->stat);
	if (!code && !buf)
		code = err_set(err, -ENOMEM, "pid %d: out of memory", (int)pid);
	else if (code)
		code = gone(pid, code, err);
	else
		t->find_error = as_control_find(t->proc_fd, pid, &t->found, buf, MAPS_ROOM);
	free(buf);
	if (code) {
		target_fini(t);
		return code;
	}
	t->hidden = is_hidden(t);
	const char *said = t->found.has_page ? t->found.page.name : "";
	const char *name = *said ? said : t->stat.comm;
	text_printable(t->name, sizeof(t->name), name, strlen(name));
	return 0;
}

void target_fini(struct target *t)
{
	if (t->is_open)
		as_control_close(&t->link);
	if (t->proc_fd >= 0)
		as_sys_close(t->proc_fd);
	t->proc_fd = -1;
	t->is_open = false;
}

bool target_is_stopped(const struct target *t)
{
	return t->stat.state == 'T' || t->stat.state == 't';
}

bool target_has_stacks(const struct target *t, struct err *err)
{
	enum { KERNEL_THREAD = 0x00200000 }; /* PF_KTHREAD */

	/* the first thread of a program may end before the others: that is no end of the program */
	if ((t->stat.state == 'Z' && t->stat.threads < 2) || t->stat.state == 'X') {
		err_set(err, -ESRCH, "pid %d (%s): has ended (a zombie), its parent has not waited for it",
			(int)t->pid, t->name);
		err_next(err, "what the parent does: sigdump dump -p %d", (int)t->stat.ppid);
		return false;
	}
	if (t->stat.flags & KERNEL_THREAD) {
		err_set(err, -ESRCH, "pid %d (%s): a thread of the kernel, not a program", (int)t->pid,
			t->name);
		err_next(err, "its stack, as root: cat /proc/%d/stack", (int)t->pid);
		return false;
	}
	return true;
}

static const char *user_name(uid_t uid, char buf[32])
{
	const struct passwd *user = getpwuid(uid);

	if (user)
		snprintf(buf, 32, "%s", user->pw_name);
	else
		snprintf(buf, 32, "UID %u", (unsigned)uid);
	return buf;
}

int target_refused(const struct target *t, int code, struct err *err)
{
	struct proc_status status;
	char its[32], ours[32];

	if (proc_status(t->pid, t->pid, &status, NULL) == 0 && status.uid != geteuid()) {
		err_set(err, code, "pid %d (%s): not allowed to look at it: it runs as %s, sigdump as %s",
			(int)t->pid, t->name, user_name(status.uid, its), user_name(geteuid(), ours));
		return status.uid ? err_next(err, "run sigdump as %s, or as root", its)
				  : err_next(err, "run sigdump as root");
	}
	err_set(err, code, "pid %d (%s): not allowed to look at it: it has more rights than sigdump, or "
		"has closed itself to its own user (prctl PR_SET_DUMPABLE)", (int)t->pid, t->name);
	return err_next(err, "run sigdump as root with CAP_SYS_PTRACE (docker run --cap-add SYS_PTRACE)");
}

static int open_link(struct target *t, struct err *err)
{
	if (t->is_open)
		return 0;
	const int code = as_control_open(t->proc_fd, &t->found, &t->link);
	if (code == -ENOENT)
		return code;
	if (code) {
		errno = -code;
		err_set(err, code, "pid %d (%s): its dumper cannot be asked (%m)", (int)t->pid, t->name);
		return err_next(err, "run as its user, or as root");
	}
	t->is_open = true;
	return 0;
}

int target_ask(struct target *t, uint64_t family, struct err *err)
{
	int code = open_link(t, err);

	if (!code)
		code = as_control_ask(&t->link, family, (int32_t)as_sys_getpid(), &t->ticket);
	t->asked = !code;
	return code;
}

/* How many of its threads the dumper has passed: it goes through them in ascending order. */
static size_t passed(const struct target *t, size_t *threads)
{
	enum { ROOM = 16384 };
	pid_t *tids = malloc(ROOM * sizeof(*tids));
	size_t n = 0, before = 0;
	const struct as_control *page = t->link.page;
	/* relaxed: words for display */
	const uint32_t step = atomic_load_explicit(&page->step, memory_order_relaxed);
	/* relaxed: as above */
	const pid_t at = atomic_load_explicit(&page->step_tid, memory_order_relaxed);

	if (tids)
		as_proc_tids(t->proc_fd, tids, ROOM, &n);
	for (size_t i = 0; i < n; i++) {
		/* in a pid namespace of its own it says the numbers of there */
		const pid_t tid = page->pid == t->pid ? tids[i] :
							as_proc_inner_tid(t->proc_fd, tids[i]);

		before += step > AS_STEP_THREADS || (step == AS_STEP_THREADS && tid < at);
	}
	free(tids);
	*threads = n > 1 ? n - 1 : n; /* one of them is the dumper */
	return before < *threads ? before : *threads;
}

static int ended(const struct target *t, struct err *err)
{
	err_set(err, -ESRCH, "pid %d (%s): ended before it had answered", (int)t->pid, t->name);
	return err_next(err, "its feed has what it wrote until then; `sigdump run` keeps a last dump of "
			     "what a signal ends");
}

/* The dumper did not answer: where does it stand? */
static int no_answer(struct target *t, uint64_t waited_ns, struct err *err)
{
	struct as_proc_stat st = { .state = '?' };
	char where[64] = "", in[80] = "";
	size_t threads;
	const pid_t dumper = t->found.dumper;
	/* relaxed: for display */
	const uint32_t step = atomic_load_explicit(&t->link.page->step, memory_order_relaxed);
	const size_t answered = passed(t, &threads);

	as_proc_stat(t->proc_fd, dumper, &st);
	if (as_proc_wchan(t->proc_fd, dumper, where, sizeof(where)) == 0 && where[0])
		snprintf(in, sizeof(in), ", in %s", where);
	err_set(err, -ETIMEDOUT, "pid %d (%s): no dump within %.3g s (state %c%s; %zu of %zu threads answered)",
		(int)t->pid, t->name, (double)waited_ns / 1e9, st.state, in, answered, threads);
	if (st.state == 'D')
		err_next(err, "a thread in uninterruptible sleep cannot answer; repeat with "
			 "--timeout 30s, see /proc/%d/stack", (int)t->pid);
	else
		err_next(err, "its dumper was %s; repeat with --timeout 30s",
			 as_control_step_name(step));
	return -ETIMEDOUT;
}

/* A child was asked by its parent's dumper, not by us: we know its answer by the family. */
static bool has_answered(const struct target *t, uint64_t family)
{
	/* acquire D2: the result is complete */
	const uint32_t now = atomic_load_explicit(&t->link.page->answered, memory_order_acquire);

	return t->asked ? (int32_t)(now - t->ticket) >= 0 : t->link.page->dump_family == family;
}

/* Sleeps until the page says something new, or the slice is over. */
static void wait_slice(const struct target *t, uint64_t deadline_ns)
{
	const uint64_t now = as_sys_clock_ns(CLOCK_MONOTONIC);
	/* acquire D2: as above */
	const uint32_t seen = atomic_load_explicit(&t->link.page->answered, memory_order_acquire);
	const uint64_t until = now + SLICE_NS < deadline_ns ? now + SLICE_NS : deadline_ns;

	as_control_wait(&t->link, t->asked ? t->ticket : seen + 1, until);
}

static int wait_for_answer(struct target *t, uint64_t family, uint64_t deadline_ns, uint64_t began_ns,
			   struct err *err)
{
	while (!has_answered(t, family)) {
		const uint64_t now = as_sys_clock_ns(CLOCK_MONOTONIC);

		if (now >= deadline_ns)
			return no_answer(t, now - began_ns, err);
		/* a process that dies or is stopped answers no more, and wakes nobody */
		if (as_proc_stat(t->proc_fd, 0, &t->stat))
			return ended(t, err);
		if (target_is_stopped(t))
			return -EAGAIN;
		wait_slice(t, deadline_ns);
	}
	memcpy(&t->answer, t->link.page, sizeof(t->answer));
	t->answer.feed[sizeof(t->answer.feed) - 1] = '\0';
	t->answered = true;
	return 0;
}

int target_wait(struct target *t, uint64_t family, uint64_t deadline_ns, uint64_t began_ns,
		struct err *err)
{
	int code = open_link(t, err);

	if (!code)
		code = wait_for_answer(t, family, deadline_ns, began_ns, err);
	/* somebody asked at the same time, and one dump answered both, with his number on it: children
	 * and the reader go by ours */
	while (!code && t->asked && t->answer.dump_family != family) {
		code = target_ask(t, family, err);
		if (!code)
			code = wait_for_answer(t, family, deadline_ns, began_ns, err);
	}
	return code;
}

/* (A process whose first thread has ended shows neither.) */
static bool differs(const char *mine, const char *theirs)
{
	struct stat a, b;

	return stat(mine, &a) == 0 && stat(theirs, &b) == 0 &&
	       (a.st_dev != b.st_dev || a.st_ino != b.st_ino);
}

void target_feed(const struct target *t, char *path, size_t room)
{
	char root[32], mounts[32];

	snprintf(root, sizeof(root), "/proc/%d/root", (int)t->pid);
	snprintf(mounts, sizeof(mounts), "/proc/%d/ns/mnt", (int)t->pid);
	const bool other = differs("/", root) || differs("/proc/self/ns/mnt", mounts);
	snprintf(path, room, "%s%s", other ? root : "", t->answer.feed);
}

struct target *targets_add(struct targets *all, pid_t pid, struct err *err)
{
	err->code = 0;
	for (size_t i = 0; i < all->n; i++)
		if (all->list[i].pid == pid)
			return NULL;
	if (!GROW(all->list, all->n, all->room)) {
		err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	struct target *t = &all->list[all->n];
	if (target_init(t, pid, err))
		return NULL;
	all->n++;
	return t;
}

void targets_fini(struct targets *all)
{
	for (size_t i = 0; i < all->n; i++)
		target_fini(&all->list[i]);
	free(all->list);
	*all = (struct targets){ 0 };
}
