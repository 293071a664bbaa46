#include "shmtop/plan.h"

enum { PEERS_LEAST = 5, HEAD = 1 };

static int least(int a, int b)
{
	return a < b ? a : b;
}

/* Up to `wanted` rows of what is left; nothing at all where there are fewer than `minimum`. */
static int take(int *left, int wanted, int minimum)
{
	const int got = least(*left, wanted);

	if (got <= 0 || got < minimum)
		return 0;
	*left -= got;
	return got;
}

static int sum(const struct plan_wants *w)
{
	return w->verdict + w->findings + w->more + HEAD + w->peers + w->slots + w->memory +
	       w->detail + (w->slots > 0) + (w->memory > 0);
}

struct plan plan_make(int rows, const struct plan_wants *w)
{
	struct plan p = { 0 };
	int left = rows;

	/* one row stays blank above the keys, where that costs nobody a row */
	if (sum(w) < rows)
		return (struct plan){ .verdict = w->verdict,   .findings = w->findings,
				      .more = w->more,         .peers = w->peers,
				      .slots = w->slots,       .memory = w->memory,
				      .detail = w->detail,     .gap = 1 };
	p.verdict = take(&left, w->verdict, 0);
	left -= HEAD;
	p.peers = take(&left, least(w->peers, PEERS_LEAST), 0);
	p.findings = take(&left, w->findings, 0);
	p.slots = take(&left, w->slots_least, w->slots_least);
	p.peers += take(&left, w->peers - p.peers, 0);
	p.detail = take(&left, w->detail, w->detail);
	p.slots += p.slots ? take(&left, w->slots - p.slots, 0) : 0;
	p.memory = take(&left, w->memory, 0);
	p.more = take(&left, w->more, 0);
	p.gap = left >= (p.slots > 0) + (p.memory > 0);
	return p;
}
