#include "sigdump/living.h"

#include <stdio.h>
#include <string.h>

#include "lib/proc/proc_ends.h"
#include "lib/proc/proc_fd.h"
#include "lib/proc/proc_net.h"
#include "lib/proc/proc_sock.h"
#include "lib/proc/proc_stat.h"
#include "lib/proc/proc_wait.h"
#include "lib/state/lock.h"
#include "lib/state/wait.h"

/* The same call with the same arguments, as far as they have a meaning. */
static bool is_still(const struct state_thread *t, const struct proc_wait *now)
{
	struct proc_wait then;

	proc_wait_decode(t->sys, t->arg, &then);
	return then.nr == now->nr && then.fd == now->fd && then.addr == now->addr &&
	       then.child == now->child;
}

/* Who has the other end of what: many threads may wait for the same. */
struct known {
	pid_t pid;
	uint64_t inode; /* 0: nobody yet */
	bool from_reader, found;
	struct proc_end end;
};

/* Who has the other end of a pipe or of a unix socket: among the relatives, as pipes go. */
static bool look_for_end(pid_t pid, const struct proc_wait *now, bool is_pipe, struct proc_end *end)
{
	struct proc_sock_info info;
	struct proc_sock sock;

	if (is_pipe)
		return proc_ends_pipe(pid, now->inode, now->kind == PROC_WAIT_READ, end) == 0;
	if (proc_sock_open(&sock, NULL))
		return false;
	const bool has_peer = proc_sock_find(&sock, now->inode, &info, NULL) == 0 && info.peer;

	proc_sock_close(&sock);
	return has_peer && proc_ends_socket(pid, info.peer, end) == 0;
}

static bool find_end(struct known *known, pid_t pid, const struct proc_wait *now, bool is_pipe,
		     struct proc_end *end)
{
	const bool from_reader = now->kind == PROC_WAIT_READ;

	if (known->pid != pid || known->inode != now->inode || known->from_reader != from_reader) {
		*known = (struct known){ .pid = pid, .inode = now->inode, .from_reader = from_reader };
		known->found = look_for_end(pid, now, is_pipe, &known->end);
	}
	*end = known->end;
	return known->found;
}

/* "pipe:[1234] (other end: make, pid 12)"; as it was where nobody is found. */
static void tell_end(struct known *known, pid_t pid, struct proc_wait *now)
{
	const bool is_pipe = strncmp(now->object, "pipe:[", 6) == 0;
	struct proc_end end;
	char more[32] = "", text[128];

	if ((now->kind != PROC_WAIT_READ && now->kind != PROC_WAIT_WRITE) ||
	    (!is_pipe && strncmp(now->object, "socket:[", 8) != 0) ||
	    !find_end(known, pid, now, is_pipe, &end) || (!end.pid && !end.self))
		return;
	if (end.others)
		snprintf(more, sizeof(more), " and %u more", end.others);
	if (end.pid)
		snprintf(text, sizeof(text), " (other end: %s, pid %d%s)", end.name, (int)end.pid, more);
	else
		snprintf(text, sizeof(text), " (other end: only this process itself)");
	const size_t n = strlen(now->object);

	snprintf(now->object + n, sizeof(now->object) - n, "%s", text);
}

static int look_at_thread(struct state *st, const struct state_process *p, struct state_thread *t,
			  struct known *known)
{
	struct proc_wait now;

	/* what sleeps on a word is told better, by its lock; who runs does not wait */
	if (t->own || t->sys < 0 || !t->wait_text || (t->lock && t->lock->word))
		return 0;
	if (proc_wait_read(p->pid, t->tid, &now, NULL) || !is_still(t, &now))
		return 0;
	if (strncmp(now.object, "socket:[", 8) == 0)
		proc_net_tcp(p->pid, now.inode, now.object, sizeof(now.object), NULL);
	tell_end(known, p->pid, &now);
	wait_set(st, t, &now);
	if (now.kind != PROC_WAIT_FLOCK || t->lock)
		return 0;
	return lock_take_file(st, t, now.object[0] ? now.object : NULL, now.holder, st->now_us);
}

static void look_at_gauges(struct state_process *p)
{
	unsigned kinds[PROC_FD_KINDS];
	struct proc_stat stat;

	if (p->rss_bytes < 0 && proc_stat(p->pid, &stat, NULL) == 0)
		p->rss_bytes = (int64_t)stat.rss_bytes;
	if (p->fds < 0) {
		p->fds = proc_fd_count(p->pid, kinds, NULL);
		p->fds = p->fds < 0 ? -1 : p->fds;
	}
}

int living_look(struct state *st, uint64_t family)
{
	struct known known = { 0 };
	int code = 0;

	for (size_t i = 0; i < st->processes; i++) {
		struct state_process *p = &st->process[i];

		if (p->family != family || !proc_is_same(p->pid, p->start))
			continue;
		look_at_gauges(p);
		for (size_t k = 0; !code && k < p->threads; k++)
			code = look_at_thread(st, p, &p->thread[k], &known);
	}
	return code;
}
