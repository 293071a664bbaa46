#include "lib/state/ends_look.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/proc/proc_ends.h"
#include "lib/proc/proc_lock.h"
#include "lib/proc/proc_net.h"
#include "lib/proc/proc_outer.h"
#include "lib/proc/proc_sock.h"
#include "lib/proc/proc_stat.h"
#include "lib/proc/proc_wait.h"
#include "lib/state/ends.h"
#include "lib/state/wait.h"

enum { PARTIES = 8, CHILDREN = 64 };

struct ends_look {
	uint64_t limit_us, age_us;
	struct proc_ends ends;
	uint64_t ends_us;     /* when they were read; 0: not yet */
	struct proc_net net;
	uint64_t net_us;
	int32_t net_pid;      /* in whose network namespace */
	struct proc_sock sock;
	bool sock_tried;
};

struct known { /* many threads may wait for the same */
	const char *other;
	enum proc_ends_mode mode;
	const struct state_party *party;
	size_t n;
	bool is_all;
};

struct filling {
	struct ends_look *look;
	struct state *st;
	struct state_process *p;
	struct known known; /* of this process, asked last */
};

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

struct ends_look *ends_look_create(uint64_t limit_us, uint64_t age_us)
{
	struct ends_look *l = calloc(1, sizeof(*l));

	if (l) {
		l->limit_us = limit_us;
		l->age_us = age_us;
		l->sock.fd = -1;
	}
	return l;
}

void ends_look_destroy(struct ends_look *l)
{
	if (!l)
		return;
	proc_ends_fini(&l->ends);
	proc_net_fini(&l->net);
	proc_sock_close(&l->sock);
	free(l);
}

/* ---- what is read when it is needed --------------------------------------------------------- */

static const struct proc_ends *all_ends(struct ends_look *l)
{
	const uint64_t now = now_us();

	if (!l->ends_us || now - l->ends_us > l->age_us) {
		if (proc_ends_scan(&l->ends, l->limit_us))
			l->ends.is_cut = true;
		l->ends_us = now_us(); /* it may have taken longer than it serves */
	}
	return &l->ends;
}

static const struct proc_net *net_of(struct ends_look *l, int32_t pid)
{
	const uint64_t now = now_us();

	if (!l->net_us || l->net_pid != pid || now - l->net_us > l->age_us) {
		l->net_us = now;
		l->net_pid = pid;
		proc_net_read(&l->net, pid, NULL);
	}
	return &l->net;
}

static bool has_sock(struct ends_look *l)
{
	if (!l->sock_tried) {
		l->sock_tried = true;
		proc_sock_open(&l->sock, NULL);
	}
	return l->sock.fd >= 0;
}

/* ---- one end ------------------------------------------------------------------------------- */

static uint64_t socket_of(const struct state_end *e)
{
	uint64_t inode = 0;

	return e->is && sscanf(e->is, "socket:[%" SCNu64 "]", &inode) == 1 ? inode : 0;
}

static int set_other(struct state *st, struct state_end *e, uint64_t inode)
{
	e->other = arena_printf(&st->arena, "socket:[%" PRIu64 "]", inode);
	return e->other ? 0 : -ENOMEM;
}

static int look_at_tcp(struct filling *f, struct state_end *e, uint64_t inode)
{
	const struct proc_net *net = net_of(f->look, f->p->pid);
	const struct proc_net_entry *at = proc_net_find(net, inode);
	const struct proc_net_entry *peer = at ? proc_net_peer(net, at) : NULL;
	char text[80];

	if (!at)
		return 0;
	e->where = arena_strdup(&f->st->arena, proc_net_text(at, text, sizeof(text)));
	if (!e->where)
		return -ENOMEM;
	return peer && peer->inode ? set_other(f->st, e, peer->inode) : 0;
}

static int look_at_socket(struct filling *f, struct state_end *e)
{
	const uint64_t inode = socket_of(e);
	struct proc_sock_info info;

	if (!inode || e->where)
		return 0;
	if (!has_sock(f->look) || proc_sock_find(&f->look->sock, inode, &info, NULL))
		return look_at_tcp(f, e, inode);
	if (info.is_listening && info.name[0]) {
		e->where = arena_printf(&f->st->arena, "unix listening on %s", info.name);
		return e->where ? 0 : -ENOMEM;
	}
	return !e->other && info.peer ? set_other(f->st, e, info.peer) : 0;
}

static const struct state_party *copy_parties(struct state *st, const struct proc_end *who, size_t n)
{
	struct state_party *party = n ? arena_take(&st->arena, n * sizeof(*party)) : NULL;

	for (size_t i = 0; party && i < n; i++) {
		party[i] = (struct state_party){ .pid = who[i].pid,
						 .fd = who[i].fd,
						 .name = arena_strdup(&st->arena, who[i].name) };
		if (!party[i].name)
			return NULL;
	}
	return party;
}

/* We ourselves may have inherited it, and are gone in a moment. */
static size_t leave_out_self(struct proc_end *who, size_t n)
{
	const size_t listed = n < PARTIES + 1 ? n : PARTIES + 1;
	const pid_t self = getpid();

	for (size_t i = 0; i < listed; i++) {
		if (who[i].pid != self)
			continue;
		memmove(&who[i], &who[i + 1], (listed - i - 1) * sizeof(*who));
		return n - 1;
	}
	return n;
}

static int find_parties(struct filling *f, const char *other, enum proc_ends_mode mode)
{
	struct proc_end who[PARTIES + 1];
	struct known *k = &f->known;

	if (k->other && k->mode == mode && strcmp(k->other, other) == 0)
		return 0;
	const struct proc_ends *all = all_ends(f->look);

	k->n = leave_out_self(who, proc_ends_who(all, other, mode, who, PARTIES + 1));
	k->is_all = k->n && k->n <= PARTIES && proc_ends_is_all(all, f->p->pid);
	k->party = copy_parties(f->st, who, k->n < PARTIES ? k->n : PARTIES);
	k->other = k->n && !k->party ? NULL : other;
	k->mode = mode;
	return k->other ? 0 : -ENOMEM;
}

/* A pipe's other end is the same file, open the other way; a socket's is the socket there. */
static enum proc_ends_mode mode_of(const struct state_end *e)
{
	if (strncmp(e->other, "socket:[", 8) == 0 || e->reads == e->writes)
		return PROC_ENDS_ANY;
	return e->reads ? PROC_ENDS_WRITERS : PROC_ENDS_READERS;
}

/* Why nobody was found, as far as that is known. */
static int tell_unseen(struct filling *f, struct state_end *e)
{
	const struct proc_ends *all = &f->look->ends;

	if (all->is_cut)
		e->unseen = "there was no time to look at every process";
	else if (all->is_hidden)
		e->unseen = "/proc does not show all processes";
	else if (all->refused)
		e->unseen = arena_printf(&f->st->arena, "%zu process%s may not be looked at",
					 all->refused, all->refused == 1 ? "" : "es");
	return all->refused && !e->unseen ? -ENOMEM : 0;
}

static int look_at_end(struct filling *f, struct state_end *e)
{
	const struct known *k = &f->known;

	if (look_at_socket(f, e))
		return -ENOMEM;
	if (!e->other)
		return 0;
	if (find_parties(f, e->other, mode_of(e)))
		return -ENOMEM;
	e->all_known = k->is_all;
	e->party = k->party;
	e->parties = k->n < PARTIES ? k->n : PARTIES;
	e->parties_more = (uint32_t)(k->n - e->parties);
	return e->parties ? 0 : tell_unseen(f, e);
}

/* ---- children ------------------------------------------------------------------------------ */

static size_t add_child(struct proc_end *child, size_t n, pid_t pid)
{
	struct proc_stat stat;

	if (n == CHILDREN || pid <= 0 || proc_stat(pid, &stat, NULL))
		return n;
	child[n] = (struct proc_end){ .pid = pid, .fd = -1 };
	snprintf(child[n].name, sizeof(child[n].name), "%.31s", stat.comm);
	return n + 1;
}

/* Of all threads: any of them may wait for the child of another one. */
static size_t list_children(pid_t pid, struct proc_end *child)
{
	char path[64];
	size_t n = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *d = opendir(path);

	if (!d)
		return 0;
	for (const struct dirent *entry; (entry = readdir(d));) {
		int each;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%.10s/children", (int)pid, entry->d_name);
		FCLOSES FILE *of = fopen(path, "re");

		while (of && fscanf(of, "%d", &each) == 1)
			n = add_child(child, n, each);
	}
	closedir(d);
	return n;
}

static int look_at_children(struct filling *f, struct state_thread *t)
{
	const int32_t which = wait_child_of(t);
	struct proc_end child[CHILDREN] = { { .pid = 0 } };
	size_t n = 0;

	if (which == WAIT_ANY_CHILD)
		n = list_children(f->p->pid, child);
	else if (which > 0)
		n = add_child(child, 0, proc_outer_pid(f->p->pid, which));
	if (n == CHILDREN) /* perhaps there are more */
		return 0;
	t->child = copy_parties(f->st, child, n);
	t->children = t->child ? n : 0;
	return n && !t->child ? -ENOMEM : 0;
}

/* ---- file locks ---------------------------------------------------------------------------- */

static bool is_there(pid_t pid)
{
	struct proc_stat stat;

	return proc_stat(pid, &stat, NULL) == 0 && stat.state != 'Z';
}

/* As the list has it, where that one has ended; else as if the list had it. */
static int tell_lock(struct filling *f, struct state_thread *t, const struct proc_end *who, size_t more)
{
	struct proc_wait w;
	char rest[32] = "";

	if (more)
		snprintf(rest, sizeof(rest), " and %zu more", more);
	if (t->lock->owner_pid) {
		t->wait_text = arena_printf(&f->st->arena, "%s: pid %d (%s)%s",
					    t->wait_text ? t->wait_text : "", (int)who->pid, who->name,
					    rest);
		return t->wait_text ? 0 : -ENOMEM;
	}
	proc_wait_decode(t->sys, t->arg, &w);
	snprintf(w.object, sizeof(w.object), "%s", t->lock->name);
	snprintf(w.holder_name, sizeof(w.holder_name), "%.19s", who->name);
	w.holder = who->pid;
	w.holders_more = (unsigned)more;
	wait_set(f->st, t, &w);
	return 0;
}

/* The system's list has no process for the lock of an open file description, and for others the
 * one that took it, which may have ended: who has the locked file now is asked of each. */
static int look_at_lock(struct filling *f, struct state_thread *t)
{
	const bool is_known = t->lock->owner_pid && is_there(t->lock->owner_pid);
	struct proc_end who[PARTIES];
	size_t kept = 0;

	if (is_known || !t->lock->name || t->lock->name[0] != '/')
		return 0;
	const size_t n = proc_ends_who(all_ends(f->look), t->lock->name, PROC_ENDS_ANY, who, PARTIES);

	for (size_t i = 0; i < n && i < PARTIES; i++)
		if (who[i].pid != f->p->pid && proc_lock_is_with(who[i].pid, t->lock->name))
			who[kept++] = who[i];
	if (!kept)
		return 0;
	if (tell_lock(f, t, &who[0], kept - 1))
		return -ENOMEM;
	if (kept > 1)
		return 0;
	t->lock->owner_pid = who[0].pid;
	t->lock->owner_alive = STATE_YES;
	return 0;
}

/* ---- all of a process ---------------------------------------------------------------------- */

static bool was_looked_at(const struct filling *f, const struct state_thread *t)
{
	for (const struct state_thread *at = f->p->thread; t->set >= 0 && at < t; at++)
		if (at->end == t->end)
			return true;
	return false;
}

static int look_at_thread(struct filling *f, struct state_thread *t)
{
	int e = 0;

	if (t->wait == STATE_WAIT_CHILD)
		return look_at_children(f, t);
	if (t->lock && t->lock->kind == STATE_LOCK_FILE)
		return look_at_lock(f, t);
	if (!t->ends || was_looked_at(f, t)) /* threads may share a set */
		return 0;
	for (size_t i = 0; !e && i < t->ends; i++)
		e = look_at_end(f, &t->end[i]);
	return e ? e : ends_retell(f->st, f->p, t);
}

int ends_look_fill(struct ends_look *l, struct state *st, struct state_process *p)
{
	struct filling f = { .look = l, .st = st, .p = p };
	int e = 0;

	for (size_t i = 0; !e && i < p->threads; i++)
		if (!p->thread[i].own && p->thread[i].state != 'R')
			e = look_at_thread(&f, &p->thread[i]);
	return e;
}
