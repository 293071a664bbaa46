/* waits_words - how a wait is told: who, for what, and whom that needs. */
#include <inttypes.h>
#include <stdio.h>

#include "lib/findings/waits.h"
#include "lib/state/lock.h"

char *waits_who(const struct waits_node *node, const struct state_process *home,
		char buf[WAITS_TEXT])
{
	const struct state_process *p = node->process;
	const struct state_thread *t = node->thread;
	int n = snprintf(buf, WAITS_TEXT, "tid %" PRId32, t->tid);

	if (t->name && *t->name)
		n += snprintf(buf + n, WAITS_TEXT - (size_t)n, " \"%.64s\"", t->name);
	if (home && p != home)
		snprintf(buf + n, WAITS_TEXT - (size_t)n, " of %.64s (pid %" PRId32 ")",
			 p->name ? p->name : "process", p->pid);
	return buf;
}

static void put_call(const struct waits_node *node, char buf[WAITS_TEXT])
{
	const char *name = node->peer->name ? node->peer->name : "peer";

	if (node->kind == WAITS_CALL)
		snprintf(buf, WAITS_TEXT, "call %" PRIu32 " to %.64s(%u)", node->call->id, name,
			 node->peer->id);
	else
		snprintf(buf, WAITS_TEXT, "its call %" PRIu32 " to the host", node->call->id);
}

/* "room in pipe:[1234] (fd 1)", "data from socket:[77] (fd 5)", "any of 3 fds" */
static void put_end(const struct waits_node *node, char buf[WAITS_TEXT])
{
	const struct state_thread *t = node->thread;
	const struct state_end *e = node->end;
	const char *what = e->where ? e->where : e->is ? e->is : "a file";

	if (t->ends > 1)
		snprintf(buf, WAITS_TEXT, "any of %zu fds, as %" PRId32 " (%.300s)", t->ends, e->fd, what);
	else
		snprintf(buf, WAITS_TEXT, "%s %.300s (fd %" PRId32 ")",
			 e->writes && !e->reads ? "room in" : "data from", what, e->fd);
}

static void put_child(const struct waits_node *node, char buf[WAITS_TEXT])
{
	const struct state_thread *t = node->thread;

	if (t->children > 1)
		snprintf(buf, WAITS_TEXT, "the end of one of %zu children", t->children);
	else
		snprintf(buf, WAITS_TEXT, "the end of its child %" PRId32, t->child[0].pid);
}

char *waits_what(const struct waits_node *node, char buf[WAITS_TEXT])
{
	const struct state_lock *lock = node->lock ? node->lock : node->thread->lock;
	char text[LOCK_TEXT];

	if (node->call)
		put_call(node, buf);
	else if (node->kind == WAITS_END && node->end)
		put_end(node, buf);
	else if (node->kind == WAITS_CHILD)
		put_child(node, buf);
	else if (lock)
		snprintf(buf, WAITS_TEXT, "%s", lock_text(lock, text));
	else
		snprintf(buf, WAITS_TEXT, "%.400s",
			 node->thread->wait_text ? node->thread->wait_text : "-");
	return buf;
}

char *waits_whom(const struct waits *w, const struct waits_node *node,
		 const struct state_process *home, char buf[WAITS_TEXT])
{
	char who[WAITS_TEXT];

	buf[0] = '\0';
	if (node->to < 0)
		return buf;
	const struct waits_node *to = &w->node[node->to];

	waits_who(to, home, who);
	switch (node->kind) {
	case WAITS_LOCK:
		snprintf(buf, WAITS_TEXT, "held by %.400s", who);
		break;
	case WAITS_FILE:
		snprintf(buf, WAITS_TEXT, "held by pid %" PRId32 " (%.64s)", to->process->pid,
			 to->process->name ? to->process->name : "-");
		break;
	case WAITS_CALL:
		if (node->back)
			snprintf(buf, WAITS_TEXT, "which waits for its call %" PRIu32
				 ", served by %.300s", node->back->id, who);
		else
			snprintf(buf, WAITS_TEXT, "served by %.300s", who);
		break;
	case WAITS_HANDLER:
		snprintf(buf, WAITS_TEXT, "served by %.300s", who);
		break;
	case WAITS_END:
		snprintf(buf, WAITS_TEXT, "whose other end has %.400s", who);
		break;
	case WAITS_CHILD:
		snprintf(buf, WAITS_TEXT, "which is %.400s", who);
		break;
	default: /* the end of a thread: that is whom */
		break;
	}
	return buf;
}
