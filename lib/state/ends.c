#include "lib/state/ends.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/proc/proc_fd.h"
#include "lib/state/wait.h"

enum { PARTIES = 8 }; /* listed of one end */

static bool starts_with(const char *text, const char *start)
{
	return text && strncmp(text, start, strlen(start)) == 0;
}

/* ---- taking -------------------------------------------------------------------------------- */

static const char *kind_of(const struct ends_given *g)
{
	struct proc_fd fd;

	if (!g->is)
		return NULL;
	if (g->is_fifo)
		return "fifo";
	proc_fd_parse(g->is, &fd);
	return proc_fd_kind_name(fd.kind);
}

static int take_one(struct state *st, const struct ends_given *g, struct state_end *e)
{
	*e = (struct state_end){
		.fd = g->fd,
		.reads = g->events & (POLLIN | POLLRDNORM | POLLPRI),
		.writes = g->events & (POLLOUT | POLLWRNORM),
		.kind = kind_of(g),
		.is = arena_strdup(&st->arena, g->is),
	};
	if (g->is && (g->is_fifo || starts_with(g->is, "pipe:[")))
		e->other = e->is;
	else if (g->peer)
		e->other = arena_printf(&st->arena, "socket:[%" PRIu64 "]", g->peer);
	return (g->is && !e->is) || (g->peer && !e->other) ? -ENOMEM : 0;
}

int ends_take(struct state *st, struct state_thread *t, const struct ends_given *given, size_t n,
	      uint32_t all, int32_t set)
{
	t->end = n ? arena_take(&st->arena, n * sizeof(*t->end)) : NULL;
	t->ends = 0;
	t->set = set;
	t->ends_all = all;
	if (n && !t->end)
		return -ENOMEM;
	for (; t->ends < n; t->ends++)
		if (take_one(st, &given[t->ends], &t->end[t->ends]))
			return -ENOMEM;
	return 0;
}

bool ends_share(const struct state_process *p, struct state_thread *t, int32_t set)
{
	for (size_t i = 0; set >= 0 && i < p->threads; i++) {
		const struct state_thread *told = &p->thread[i];

		if (told == t || told->set != set || !told->ends_all)
			continue;
		t->set = set;
		t->end = told->end;
		t->ends = told->ends;
		t->ends_all = told->ends_all;
		t->ends_more = told->ends_more;
		return true;
	}
	return false;
}

int ends_open(struct state *st, struct state_process *p, int32_t fd, const char *is, bool reads,
	      bool writes)
{
	if (ARENA_GROW(&st->arena, p->open, p->opens, p->opens_room))
		return -ENOMEM;
	struct state_open *o = &p->open[p->opens];

	*o = (struct state_open){ fd, arena_strdup(&st->arena, is), reads, writes };
	if (!o->is)
		return -ENOMEM;
	p->opens++;
	return 0;
}

/* ---- who has the other end ----------------------------------------------------------------- */

struct opened { /* by somebody of the state */
	const struct state_process *process;
	const struct state_open *open;
};

static int compare_is(const void *a, const void *b)
{
	const struct opened *x = a, *y = b;
	const int r = strcmp(x->open->is, y->open->is);

	if (r)
		return r;
	return (x->process->pid > y->process->pid) - (x->process->pid < y->process->pid);
}

static struct opened *list_opened(const struct state *st, size_t *n)
{
	struct opened *all;
	size_t room = 1;

	for (size_t i = 0; i < st->processes; i++)
		room += st->process[i].opens;
	all = malloc(room * sizeof(*all));
	*n = 0;
	for (size_t i = 0; all && i < st->processes; i++)
		for (size_t k = 0; k < st->process[i].opens; k++)
			all[(*n)++] = (struct opened){ &st->process[i], &st->process[i].open[k] };
	if (all)
		qsort(all, *n, sizeof(*all), compare_is);
	return all;
}

static bool is_same_machine(const struct state_process *a, const struct state_process *b)
{
	return !a->boot || !b->boot || strcmp(a->boot, b->boot) == 0;
}

/* A pipe's other end is the same file, open the other way; a socket's is the socket there. */
static bool is_other_end(const struct state_end *e, const struct state_open *o)
{
	if (starts_with(e->other, "socket:["))
		return true;
	return (e->reads && o->writes) || (e->writes && o->reads);
}

static int set_parties(struct state *st, struct state_end *e, const struct state_party *party, size_t n)
{
	struct state_party *copy = n ? arena_take(&st->arena, n * sizeof(*copy)) : NULL;

	e->party = copy ? memcpy(copy, party, n * sizeof(*copy)) : NULL;
	e->parties = copy ? n : 0;
	return n && !copy ? -ENOMEM : 0;
}

static int find_parties(struct state *st, const struct opened *all, size_t n,
			const struct state_process *p, struct state_end *e)
{
	struct state_party party[PARTIES];
	size_t found = 0, lo = 0, hi = n;
	int32_t last = 0;

	while (lo < hi) {
		const size_t mid = (lo + hi) / 2;

		if (strcmp(all[mid].open->is, e->other) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < n && strcmp(all[lo].open->is, e->other) == 0; lo++) {
		const struct state_process *q = all[lo].process;

		if (!is_same_machine(p, q) || q->pid == last || !is_other_end(e, all[lo].open))
			continue;
		last = q->pid;
		if (found < PARTIES)
			party[found] = (struct state_party){ q->pid, all[lo].open->fd, q->name };
		found++;
	}
	const size_t listed = found < PARTIES ? found : PARTIES;

	e->parties_more = (uint32_t)(found - listed);
	return set_parties(st, e, party, listed);
}

static int take_who(struct state *st, struct state_end *e, const struct ends_who *who, size_t n,
		    bool all_known)
{
	struct state_party party[PARTIES];
	size_t found = 0;

	for (size_t i = 0; i < n && found < PARTIES; i++) {
		const struct state_open o = { .reads = who[i].reads, .writes = who[i].writes };

		if (!is_other_end(e, &o))
			continue;
		party[found] = (struct state_party){ who[i].pid, who[i].fd,
						     arena_strdup(&st->arena, who[i].name) };
		if (who[i].name && !party[found].name)
			return -ENOMEM;
		found++;
	}
	e->all_known = found && all_known;
	return set_parties(st, e, party, found);
}

int ends_asked(struct state *st, struct state_process *p, const char *is, const struct ends_who *who,
	       size_t n, uint32_t all, bool all_known)
{
	int e = 0;

	for (size_t i = 0; !e && i < p->threads; i++) {
		struct state_thread *t = &p->thread[i];

		for (size_t k = 0; !e && k < t->ends; k++) {
			struct state_end *end = &t->end[k];

			/* threads may share a set */
			if (!end->parties && end->other && strcmp(end->other, is) == 0)
				e = take_who(st, end, who, n, all_known && all == n);
		}
		if (!e && t->ends == 1)
			e = ends_retell(st, p, t);
	}
	return e;
}

static int resolve_thread(struct state *st, const struct opened *all, size_t n,
			  const struct state_process *p, struct state_thread *t)
{
	bool is_new = false;

	for (size_t i = 0; i < t->ends; i++) {
		struct state_end *e = &t->end[i];

		if (!e->other || e->parties)
			continue;
		if (find_parties(st, all, n, p, e))
			return -ENOMEM;
		is_new |= e->parties > 0;
	}
	return is_new ? ends_retell(st, p, t) : 0;
}

int ends_resolve(struct state *st)
{
	size_t n;
	int e = 0;

	for (n = 0; n < st->processes && !st->process[n].opens; n++)
		;
	if (n == st->processes)
		return 0;
	struct opened *all = list_opened(st, &n);

	if (!all)
		return -ENOMEM;
	for (size_t i = 0; !e && i < st->processes; i++)
		for (size_t k = 0; !e && k < st->process[i].threads; k++)
			e = resolve_thread(st, all, n, &st->process[i], &st->process[i].thread[k]);
	free(all);
	return e;
}

/* ---- words --------------------------------------------------------------------------------- */

char *ends_other_text(const struct state_process *p, const struct state_end *e, char *buf, size_t room)
{
	const struct state_party *other = NULL;
	size_t n = e->parties_more;
	bool self = false;

	for (size_t i = 0; i < e->parties; i++) {
		if (e->party[i].pid == p->pid) {
			self = true;
			continue;
		}
		other = other ? other : &e->party[i];
		n++;
	}
	buf[0] = '\0';
	if (other && n > 1)
		snprintf(buf, room, " (other end: %s, pid %" PRId32 " and %zu more)",
			 other->name ? other->name : "-", other->pid, n - 1);
	else if (other)
		snprintf(buf, room, " (other end: %s, pid %" PRId32 ")",
			 other->name ? other->name : "-", other->pid);
	else if (self)
		snprintf(buf, room, " (other end: only this process itself)");
	else if (e->unseen)
		snprintf(buf, room, " (other end: not found, %s)", e->unseen);
	return buf;
}

int ends_retell(struct state *st, const struct state_process *p, struct state_thread *t)
{
	const struct state_end *e = t->end;
	struct proc_wait w;
	char other[128];

	if (t->ends != 1 || t->ends_all != 1 || (!e->is && !e->where))
		return 0;
	proc_wait_decode(t->sys, t->arg, &w);
	if (w.kind != PROC_WAIT_READ && w.kind != PROC_WAIT_WRITE)
		return 0;
	snprintf(w.object, sizeof(w.object), "%.160s%s", e->where ? e->where : e->is,
		 ends_other_text(p, e, other, sizeof(other)));
	const char *before = t->wait_text;

	w.server = t->server;
	wait_set(st, t, &w);
	return before && !t->wait_text ? -ENOMEM : 0;
}

static int put_end(const struct state_process *p, const struct state_end *e, char *buf, size_t room)
{
	const bool is_anonymous = starts_with(e->is, "anon_inode:");
	const char *what = e->where ? e->where : is_anonymous ? e->kind : e->is;
	char other[128];

	return snprintf(buf, room, "%" PRId32 " %.100s%s%s", e->fd, what ? what : "(closed)",
			e->writes && !e->reads ? " to write" : "",
			ends_other_text(p, e, other, sizeof(other)));
}

char *ends_text(const struct state_process *p, const struct state_thread *t, char buf[ENDS_TEXT])
{
	size_t n, i;

	buf[0] = '\0';
	if (t->wait != STATE_WAIT_POLL || !t->ends_all)
		return buf;
	n = (size_t)snprintf(buf, ENDS_TEXT, "%s%" PRIu32 " fd%s%s", t->ends_more ? "more than " : "",
			     t->ends_all, t->ends_all == 1 ? "" : "s", t->ends ? ": " : "");
	for (i = 0; i < t->ends && i < ENDS_SHOWN; i++) {
		n += (size_t)snprintf(buf + n, ENDS_TEXT - n, "%s", i ? ", " : "");
		n += (size_t)put_end(p, &t->end[i], buf + n, ENDS_TEXT - n);
		if (n + 64 > ENDS_TEXT) { /* what did not fit is not said to be there */
			buf[ENDS_TEXT - 64] = '\0';
			n = strlen(buf);
			i++;
			break;
		}
	}
	if (t->ends && i < t->ends_all)
		snprintf(buf + n, ENDS_TEXT - n, " and %" PRIu32 " more", t->ends_all - (uint32_t)i);
	return buf;
}
