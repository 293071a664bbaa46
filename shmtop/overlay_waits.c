/*
 * overlay_waits - who waits for whom in one process: circles, then the queues behind owners with
 * where each path ends, then those who wait for nobody in particular.
 */
#include <stdio.h>

#include "lib/findings/waits.h"
#include "shmtop/overlay.h"

enum { QUEUE = 12 }; /* of those who wait for one lock, so many are named */

struct listing {
	const struct waits *w;
	const struct state_process *process;
	void (*line)(void *arg, int col, enum style style, const char *text);
	void *arg;
};

static void say(const struct listing *l, int col, enum style style, const char *text)
{
	l->line(l->arg, col, style, text);
}

static void say_wait(const struct listing *l, const struct waits_node *node, enum style style)
{
	char who[WAITS_TEXT], what[WAITS_TEXT], whom[WAITS_TEXT], text[3 * WAITS_TEXT];

	waits_whom(l->w, node, l->process, whom);
	snprintf(text, sizeof(text), "%s waits for %s%s%s", waits_who(node, l->process, who),
		 waits_what(node, what), whom[0] ? " " : "", whom);
	say(l, 3, style, text);
}

/* ---- circles ----------------------------------------------------------------------------- */

static bool has_part_in(const struct listing *l, int circle)
{
	const int first = l->w->circle[circle];
	int i = first;

	do {
		if (l->w->node[i].process == l->process)
			return true;
		i = l->w->node[i].to;
	} while (i != first);
	return false;
}

static void say_circle(const struct listing *l, int circle)
{
	const int first = l->w->circle[circle];
	int i = first;

	say(l, 1, STYLE_HEAD, waits_is_proven(l->w, circle) ? "In a circle" :
			      "In a circle (not seen at one common moment)");
	do {
		say_wait(l, &l->w->node[i], STYLE_CRITICAL);
		i = l->w->node[i].to;
	} while (i != first);
}

/* ---- queues ------------------------------------------------------------------------------- */

/* Where the path leads in the end: into a circle, or to somebody who waits for nobody. */
static void say_end(const struct listing *l, const struct waits_node *node)
{
	char who[WAITS_TEXT], what[WAITS_TEXT], text[3 * WAITS_TEXT];
	size_t steps = 0;

	while (node->to >= 0 && node->circle < 0 && steps++ < l->w->n)
		node = &l->w->node[node->to];
	waits_who(node, l->process, who);
	if (node->circle >= 0)
		snprintf(text, sizeof(text), "and that ends in the circle of %s", who);
	else if (node->thread->state == 'R' || node->thread->moved)
		snprintf(text, sizeof(text), "and that ends at %s, which runs", who);
	else
		snprintf(text, sizeof(text), "and that ends at %s, in %s", who, waits_what(node, what));
	say(l, 5, STYLE_DIM, text);
}

/* For the same lock, or for the same thread without one. */
static bool is_queued(const struct waits_node *a, const struct waits_node *b)
{
	return a->process == b->process && a->to == b->to && a->circle < 0 && b->circle < 0 &&
	       (a->lock ? a->lock->addr : 0) == (b->lock ? b->lock->addr : 0);
}

static void say_queue(const struct listing *l, size_t first)
{
	size_t n = 0;
	char text[64];

	for (size_t i = first; i < l->w->n; i++) {
		if (l->w->node[i].to < 0 || !is_queued(&l->w->node[first], &l->w->node[i]))
			continue;
		if (n++ < QUEUE)
			say_wait(l, &l->w->node[i], STYLE_WARNING);
	}
	if (n > QUEUE) {
		snprintf(text, sizeof(text), "and %zu more threads for the same", n - QUEUE);
		say(l, 3, STYLE_WARNING, text);
	}
	say_end(l, &l->w->node[first]);
}

static bool is_first_of_queue(const struct listing *l, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (l->w->node[k].to >= 0 && is_queued(&l->w->node[k], &l->w->node[i]))
			return false;
	return true;
}

/* ---- all of it --------------------------------------------------------------------------- */

static bool say_rest(const struct listing *l)
{
	bool is_first = true;

	for (size_t i = 0; i < l->w->n; i++) {
		const struct waits_node *node = &l->w->node[i];

		if (node->process != l->process || node->to >= 0 || !node->thread->lock)
			continue;
		if (is_first)
			say(l, 1, STYLE_HEAD, "For nobody in particular, or nobody that is known");
		is_first = false;
		say_wait(l, node, STYLE_PLAIN);
	}
	return !is_first;
}

static bool say_circles(const struct listing *l)
{
	bool any = false;

	for (size_t i = 0; i < l->w->circles; i++) {
		if (!has_part_in(l, (int)i))
			continue;
		any = true;
		say_circle(l, (int)i);
	}
	return any;
}

static bool say_queues(const struct listing *l)
{
	bool is_first = true;

	for (size_t i = 0; i < l->w->n; i++) {
		const struct waits_node *node = &l->w->node[i];

		if (node->process != l->process || node->to < 0 || node->circle >= 0 ||
		    !is_first_of_queue(l, i))
			continue;
		if (is_first)
			say(l, 1, STYLE_HEAD, "Behind others");
		is_first = false;
		say_queue(l, i);
	}
	return !is_first;
}

static void say_all(const struct listing *l)
{
	const bool circles = say_circles(l), queues = say_queues(l), rest = say_rest(l);

	if (!circles && !queues && !rest)
		say(l, 1, STYLE_PLAIN, "None of its threads sleeps on a lock.");
}

void overlay_waits(const struct state *st, const struct state_process *p,
		   void (*line)(void *arg, int col, enum style style, const char *text), void *arg)
{
	struct waits *w = waits_create(st);
	const struct listing l = { w, p, line, arg };

	if (!w || p->carried || !p->dump_us)
		say(&l, 1, STYLE_PLAIN, "What its threads wait for was not looked at in this sample.");
	else
		say_all(&l);
	waits_destroy(w);
}
