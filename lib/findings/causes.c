/*
 * causes - which finding explains which.
 *
 * A candidate says what does not go on because of it (stuck) and what would explain it
 * (waits_for). A finding is the consequence of another when that one keeps standing still what
 * this one waits for, or what this one found standing still, and comes before it: in the order of
 * rules, then in time. That is a strict order, so there are no circles. What explains a
 * consequence explains all of it: every one points to its root.
 */
#include <errno.h>
#include <stdlib.h>

#include "lib/findings/judge_priv.h"

struct stuck { /* a node and the finding that keeps it */
	struct node node;
	size_t finding;
};

struct causes {
	const struct track *track;
	struct finding *finding;
	struct stuck *stuck; /* sorted by node */
	size_t n_stuck;
	size_t *parent;      /* SIZE_MAX: none */
};

static int compare_nodes(const struct node *a, const struct node *b)
{
	if (a->hub != b->hub)
		return a->hub < b->hub ? -1 : 1;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return (a->id > b->id) - (a->id < b->id);
}

static int by_node(const void *a, const void *b)
{
	const struct stuck *x = a, *y = b;
	const int r = compare_nodes(&x->node, &y->node);

	return r ? r : (x->finding > y->finding) - (x->finding < y->finding);
}

/* A suspicion does not explain what is certain, and what has passed explains nothing. */
static bool may_explain(const struct causes *cs, size_t cause, size_t of)
{
	const struct finding *a = &cs->finding[cause], *b = &cs->finding[of];

	return cause != of && a->state != FINDING_CLEARED && b->state != FINDING_CLEARED &&
	       a->state >= b->state && a->rule->severity != SEVERITY_INFO;
}

static bool is_better(const struct causes *cs, size_t a, size_t b)
{
	const struct track *x = &cs->track[a], *y = &cs->track[b];

	if (x->c.rank != y->c.rank)
		return x->c.rank < y->c.rank;
	if (x->shown_begin_us != y->shown_begin_us)
		return x->shown_begin_us < y->shown_begin_us;
	return a < b;
}

/* Of an earlier rule; or, where it waits, of the same one and longer there. */
static bool comes_before(const struct causes *cs, size_t cause, size_t i, bool found_itself)
{
	if (cs->track[cause].c.rank != cs->track[i].c.rank)
		return cs->track[cause].c.rank < cs->track[i].c.rank;
	return !found_itself && is_better(cs, cause, i);
}

/* Offers every finding that keeps `node` to finding i. found_itself: i keeps it too. */
static void offer(struct causes *cs, size_t i, const struct node *node, bool found_itself,
		  size_t *best)
{
	size_t lo = 0, hi = cs->n_stuck;

	while (lo < hi) {
		const size_t mid = (lo + hi) / 2;

		if (compare_nodes(&cs->stuck[mid].node, node) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < cs->n_stuck && compare_nodes(&cs->stuck[lo].node, node) == 0; lo++) {
		const size_t cause = cs->stuck[lo].finding;

		if (may_explain(cs, cause, i) && comes_before(cs, cause, i, found_itself) &&
		    (*best == SIZE_MAX || is_better(cs, cause, *best)))
			*best = cause;
	}
}

static void offer_nodes(struct causes *cs, size_t i, const struct node *nodes, bool found_itself,
			size_t *best)
{
	for (size_t k = 0; k < CANDIDATE_NODES && nodes[k].kind != NODE_NONE; k++) {
		const struct node host = { NODE_HOST, nodes[k].hub, 0 };
		const struct node hub = { NODE_HUB, nodes[k].hub, 0 };

		offer(cs, i, &nodes[k], found_itself, best);
		offer(cs, i, &hub, found_itself, best);
		if (nodes[k].kind == NODE_LINK)
			offer(cs, i, &host, found_itself, best);
	}
}

static size_t root_of(const struct causes *cs, size_t i)
{
	while (cs->parent[i] != SIZE_MAX)
		i = cs->parent[i];
	return i;
}

int causes_find(const struct track *track, struct finding *finding, size_t n)
{
	struct causes cs = { .track = track, .finding = finding };

	if (!n)
		return 0;
	cs.stuck = malloc(n * CANDIDATE_NODES * sizeof(*cs.stuck));
	cs.parent = malloc(n * sizeof(*cs.parent));
	if (!cs.stuck || !cs.parent) {
		free(cs.stuck);
		free(cs.parent);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		cs.parent[i] = SIZE_MAX;
		for (size_t k = 0; k < CANDIDATE_NODES; k++)
			if (track[i].c.stuck[k].kind != NODE_NONE)
				cs.stuck[cs.n_stuck++] = (struct stuck){ track[i].c.stuck[k], i };
	}
	qsort(cs.stuck, cs.n_stuck, sizeof(*cs.stuck), by_node);
	for (size_t i = 0; i < n; i++) {
		size_t best = SIZE_MAX;

		offer_nodes(&cs, i, track[i].c.stuck, true, &best);
		offer_nodes(&cs, i, track[i].c.waits_for, false, &best);
		cs.parent[i] = best;
	}
	for (size_t i = 0; i < n; i++)
		finding[i].consequence_of =
			cs.parent[i] == SIZE_MAX ? NULL : &finding[root_of(&cs, i)];
	free(cs.stuck);
	free(cs.parent);
	return 0;
}
