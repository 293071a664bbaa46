#include "shmtop/frame.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/grow.h"
#include "lib/state/state_copy.h"

static bool is_same_place(const struct finding *a, const struct finding *b)
{
	return a->rule == b->rule && strcmp(a->place, b->place) == 0;
}

static bool has_same(const struct findings *f, const struct finding *wanted)
{
	for (size_t i = 0; i < f->n; i++)
		if (is_same_place(f->list[i], wanted) && f->list[i]->state == wanted->state)
			return true;
	return false;
}

static bool has_changed(const struct findings *before, const struct findings *now)
{
	if (before->n != now->n)
		return true;
	for (size_t i = 0; i < now->n; i++)
		if (!has_same(before, now->list[i]))
			return true;
	return false;
}

static const char *copy_text(struct arena *a, const char *s)
{
	/* a text lost for want of memory reads as one that was never known */
	return s ? arena_strdup(a, s) : NULL;
}

static void copy_texts(struct arena *a, struct finding *f)
{
	f->where.hub = copy_text(a, f->where.hub);
	f->where.name = copy_text(a, f->where.name);
	f->where.ring = copy_text(a, f->where.ring);
	f->where.site = copy_text(a, f->where.site);
	f->where.gauge = copy_text(a, f->where.gauge);
	f->where.file = copy_text(a, f->where.file);
	f->place = f->place ? copy_text(a, f->place) : "";
	f->sentence = f->sentence ? copy_text(a, f->sentence) : "";
	f->brief = f->brief ? copy_text(a, f->brief) : "";
	f->also = copy_text(a, f->also);
	f->evidence_text = copy_text(a, f->evidence_text);
	f->means = copy_text(a, f->means);
	for (unsigned i = 0; i < FINDING_NEXT; i++)
		f->next[i] = copy_text(a, f->next[i]);
	for (size_t i = 0; i < f->facts; i++) {
		f->fact[i].key = copy_text(a, f->fact[i].key);
		f->fact[i].text = copy_text(a, f->fact[i].text);
	}
	for (size_t i = 0; i < f->edges; i++) {
		f->edge[i].who = copy_text(a, f->edge[i].who);
		f->edge[i].waits_for = copy_text(a, f->edge[i].waits_for);
		f->edge[i].whom = copy_text(a, f->edge[i].whom);
		f->edge[i].site = copy_text(a, f->edge[i].site);
	}
}

static int copy_findings(struct arena *a, const struct findings *from, struct findings *to)
{
	*to = *from;
	to->list = NULL;
	to->verdict = from->verdict ? arena_strdup(a, from->verdict) : "";
	if (!to->verdict)
		return -ENOMEM;
	if (!from->n)
		return 0;
	struct finding *copy = arena_take(a, from->n * sizeof(*copy));
	const struct finding **list = arena_take(a, from->n * sizeof(*list));

	if (!copy || !list)
		return -ENOMEM;
	for (size_t i = 0; i < from->n; i++) {
		copy[i] = *from->list[i];
		copy_texts(a, &copy[i]);
		if (!copy[i].place || !copy[i].sentence || !copy[i].brief)
			return -ENOMEM;
		list[i] = &copy[i];
	}
	for (size_t i = 0; i < from->n; i++) {
		copy[i].consequence_of = NULL;
		for (size_t j = 0; j < from->n; j++)
			if (from->list[j] == from->list[i]->consequence_of)
				copy[i].consequence_of = &copy[j];
	}
	to->list = list;
	return 0;
}

/* stacks_order() tells which stack is S1; a page asks the other way round. */
static int number_stacks(struct frame *f)
{
	const size_t n = f->st.stacks;

	if (!n)
		return 0;
	unsigned *order = calloc(n, sizeof(*order));
	unsigned *number = arena_take(&f->st.arena, n * sizeof(*number));
	if (order && number) {
		stacks_order(&f->st, order);
		for (size_t i = 0; i < n; i++)
			number[order[i]] = (unsigned)i + 1;
	}
	free(order);
	f->stack = number;
	return order && number ? 0 : -ENOMEM;
}

const char *frame_stack_name(char buf[FRAME_STACK_NAME], const struct frame *f, int stack)
{
	if (stack < 0 || (size_t)stack >= f->st.stacks)
		snprintf(buf, FRAME_STACK_NAME, "-");
	else
		snprintf(buf, FRAME_STACK_NAME, "S%u", f->stack[stack]);
	return buf;
}

struct frame *frame_make(struct state *st, const struct findings *f, const struct frame *before)
{
	struct frame *frame = calloc(1, sizeof(*frame));

	if (!frame) {
		state_fini(st);
		return NULL;
	}
	/* most of what a source made is outgrown arrays: the copy is a fifth of it */
	const int r = state_copy(&frame->st, st);
	state_fini(st);
	if (r) {
		free(frame);
		return NULL;
	}
	if (copy_findings(&frame->st.arena, f, &frame->findings) || number_stacks(frame)) {
		frame_destroy(frame);
		return NULL;
	}
	frame->changed = before ? has_changed(&before->findings, &frame->findings) : f->n > 0;
	return frame;
}

void frame_destroy(struct frame *f)
{
	if (!f)
		return;
	state_fini(&f->st);
	free(f);
}

size_t frame_bytes(const struct frame *f)
{
	return sizeof(*f) + f->st.arena.bytes;
}

void history_init(struct history *h)
{
	*h = (struct history){ .bytes_max = HISTORY_BYTES,
			       .span_max_us = HISTORY_SECONDS * UINT64_C(1000000) };
}

void history_fini(struct history *h)
{
	for (size_t i = 0; i < h->n; i++)
		frame_destroy(h->frame[i]);
	free(h->frame);
	*h = (struct history){ 0 };
}

static size_t count_too_old(const struct history *h, const struct frame *newest)
{
	size_t drop = 0, bytes = h->bytes + frame_bytes(newest);

	while (drop < h->n &&
	       (bytes > h->bytes_max ||
		h->frame[drop]->st.now_us + h->span_max_us < newest->st.now_us)) {
		bytes -= frame_bytes(h->frame[drop]);
		drop++;
	}
	return drop;
}

int history_add(struct history *h, struct frame *f)
{
	if (!GROW(h->frame, h->n, h->room)) {
		frame_destroy(f);
		return -ENOMEM;
	}
	const size_t drop = count_too_old(h, f);

	for (size_t i = 0; i < drop; i++) {
		h->bytes -= frame_bytes(h->frame[i]);
		frame_destroy(h->frame[i]);
	}
	memmove(h->frame, h->frame + drop, (h->n - drop) * sizeof(*h->frame));
	h->n -= drop;
	h->frame[h->n++] = f;
	h->bytes += frame_bytes(f);
	return (int)drop;
}

size_t history_find(const struct history *h, uint64_t now_us)
{
	size_t low = 0, high = h->n;

	while (high - low > 1) {
		const size_t middle = low + (high - low) / 2;

		if (h->frame[middle]->st.now_us <= now_us)
			low = middle;
		else
			high = middle;
	}
	return low;
}
