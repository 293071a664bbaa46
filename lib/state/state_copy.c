#include "lib/state/state_copy.h"

#include <errno.h>
#include <string.h>

/*
 * Each function below is the list of the pointers of one struct. A pointer that is forgotten here
 * would point into the state that was copied, so whoever adds a field is stopped: copy it if it
 * points, give it a value in state_copy_test, then set the new size.
 */
#if UINTPTR_MAX == UINT64_MAX
_Static_assert(sizeof(struct state_input) == 48, "new field: does it point?");
_Static_assert(sizeof(struct state_ring) == 264, "new field: does it point?");
_Static_assert(sizeof(struct state_peer) == 760, "new field: does it point?");
_Static_assert(sizeof(struct state_owner) == 24, "new field: does it point?");
_Static_assert(sizeof(struct state_class) == 128, "new field: does it point?");
_Static_assert(sizeof(struct state_slot) == 48, "new field: does it point?");
_Static_assert(sizeof(struct state_method) == 416, "new field: does it point?");
_Static_assert(sizeof(struct state_call) == 56, "new field: does it point?");
_Static_assert(sizeof(struct state_hub) == 328, "new field: does it point?");
_Static_assert(sizeof(struct state_frame) == 64, "new field: does it point?");
_Static_assert(sizeof(struct state_stack) == 48, "new field: does it point?");
_Static_assert(sizeof(struct state_holder) == 24, "new field: does it point?");
_Static_assert(sizeof(struct state_memory) == 24, "new field: does it point?");
_Static_assert(sizeof(struct state_lock) == 192, "new field: does it point?");
_Static_assert(sizeof(struct state_party) == 16, "new field: does it point?");
_Static_assert(sizeof(struct state_end) == 72, "new field: does it point?");
_Static_assert(sizeof(struct state_open) == 24, "new field: does it point?");
_Static_assert(sizeof(struct state_thread) == 248, "new field: does it point?");
_Static_assert(sizeof(struct state_process) == 200, "new field: does it point?");
_Static_assert(sizeof(struct state) == 192, "new field: does it point?");
#endif

enum { TEXTS = 128 };

struct copying {
	struct arena *arena;
	bool failed;
	const char *text[TEXTS]; /* copies made already, by hash: names are repeated a lot */
};

static void copy_text(struct copying *c, const char **text)
{
	size_t h = 5381;

	if (!*text)
		return;
	for (const char *s = *text; *s; s++)
		h = h * 33 ^ (unsigned char)*s;
	const char **known = &c->text[h % TEXTS];
	if (!*known || strcmp(*known, *text) != 0)
		*known = arena_strdup(c->arena, *text);
	c->failed |= !*known;
	*text = *known;
}

static void *copy_array(struct copying *c, const void *from, size_t n, size_t element_bytes)
{
	void *to = n ? arena_take(c->arena, n * element_bytes) : NULL;

	if (to)
		memcpy(to, from, n * element_bytes);
	c->failed |= n && !to;
	return to;
}

/* After it the array is ours, its elements still hold their old pointers; empty when failed. */
#define COPY(c, array, n)                                                \
	do {                                                             \
		(array) = copy_array((c), (array), (n), sizeof(*(array))); \
		if (!(array))                                            \
			(n) = 0;                                         \
	} while (0)

static void copy_peer(struct copying *c, struct state_peer *p)
{
	copy_text(c, &p->name);
	for (unsigned dir = 0; dir < 2; dir++) {
		copy_text(c, &p->ring[dir].damage);
		COPY(c, p->ring[dir].recent, p->ring[dir].recents);
	}
}

static void copy_hub(struct copying *c, struct state_hub *hub)
{
	copy_text(c, &hub->path);
	copy_text(c, &hub->writer);
	copy_text(c, &hub->damage);
	COPY(c, hub->peer, hub->peers);
	hub->peers_room = hub->peers;
	for (size_t i = 0; i < hub->peers; i++)
		copy_peer(c, &hub->peer[i]);
	COPY(c, hub->klass, hub->classes);
	hub->classes_room = hub->classes;
	for (size_t i = 0; i < hub->classes; i++) {
		copy_text(c, &hub->klass[i].damage);
		COPY(c, hub->klass[i].owner, hub->klass[i].owners);
	}
	COPY(c, hub->slot, hub->slots);
	hub->slots_room = hub->slots;
	COPY(c, hub->call, hub->calls);
	hub->calls_room = hub->calls;
	COPY(c, hub->method, hub->methods);
	hub->methods_room = hub->methods;
	for (size_t i = 0; i < hub->methods; i++)
		copy_text(c, &hub->method[i].name);
	COPY(c, hub->every, hub->everys);
	hub->everys_room = hub->everys;
}

static void copy_lock(struct copying *c, struct state_lock *lock)
{
	struct state_holder *holder = copy_array(c, lock->holder, lock->holders, sizeof(*holder));

	copy_text(c, &lock->name);
	copy_text(c, &lock->owner_name);
	copy_text(c, &lock->path);
	copy_text(c, &lock->build_id);
	for (unsigned i = 0; i < 2; i++)
		COPY(c, lock->around[i].bytes, lock->around[i].n);
	lock->holder = holder;
	if (!holder)
		lock->holders = 0;
	for (size_t i = 0; i < lock->holders; i++)
		copy_text(c, &holder[i].name);
}

static const struct state_party *copy_parties(struct copying *c, const struct state_party *from,
					      size_t *n)
{
	struct state_party *to = copy_array(c, from, *n, sizeof(*to));

	if (!to)
		*n = 0;
	for (size_t i = 0; i < *n; i++)
		copy_text(c, &to[i].name);
	return to;
}

static void copy_ends(struct copying *c, struct state_thread *t)
{
	struct state_end *to = copy_array(c, t->end, t->ends, sizeof(*to));

	if (!to)
		t->ends = 0;
	for (size_t i = 0; i < t->ends; i++) {
		copy_text(c, &to[i].kind);
		copy_text(c, &to[i].is);
		copy_text(c, &to[i].where);
		copy_text(c, &to[i].other);
		copy_text(c, &to[i].unseen);
		to[i].party = copy_parties(c, to[i].party, &to[i].parties);
	}
	t->end = to;
	t->child = copy_parties(c, t->child, &t->children);
}

static void copy_thread(struct copying *c, struct state_thread *t)
{
	size_t locks = t->lock != NULL;

	copy_text(c, &t->name);
	copy_text(c, &t->wait_text);
	copy_text(c, &t->server);
	copy_text(c, &t->captured);
	copy_text(c, &t->reason);
	COPY(c, t->lock, locks);
	if (t->lock)
		copy_lock(c, t->lock);
	copy_ends(c, t);
}

static void copy_process(struct copying *c, struct state_process *p)
{
	copy_text(c, &p->boot);
	copy_text(c, &p->name);
	copy_text(c, &p->host);
	copy_text(c, &p->exe);
	copy_text(c, &p->feed);
	COPY(c, p->thread, p->threads);
	p->threads_room = p->threads;
	for (size_t i = 0; i < p->threads; i++)
		copy_thread(c, &p->thread[i]);
	COPY(c, p->open, p->opens);
	p->opens_room = p->opens;
	for (size_t i = 0; i < p->opens; i++)
		copy_text(c, &p->open[i].is);
}

static void copy_stack(struct copying *c, struct state_stack *s)
{
	copy_text(c, &s->end);
	COPY(c, s->frame, s->frames);
	for (size_t i = 0; i < s->frames; i++) {
		copy_text(c, &s->frame[i].function);
		copy_text(c, &s->frame[i].file);
		copy_text(c, &s->frame[i].module);
		copy_text(c, &s->frame[i].path);
		copy_text(c, &s->frame[i].build_id);
	}
}

static void copy_input(struct copying *c, struct state_input *input)
{
	copy_text(c, &input->path);
	copy_text(c, &input->type);
	copy_text(c, &input->note);
}

static int copy_into(struct state *to, const struct state *from, struct arena arena)
{
	struct copying c = { .arena = &to->arena };

	*to = *from;
	to->arena = arena;
	COPY(&c, to->input, to->inputs);
	to->inputs_room = to->inputs;
	for (size_t i = 0; i < to->inputs; i++)
		copy_input(&c, &to->input[i]);
	COPY(&c, to->hub, to->hubs);
	to->hubs_room = to->hubs;
	for (size_t i = 0; i < to->hubs; i++)
		copy_hub(&c, &to->hub[i]);
	COPY(&c, to->process, to->processes);
	to->processes_room = to->processes;
	for (size_t i = 0; i < to->processes; i++)
		copy_process(&c, &to->process[i]);
	COPY(&c, to->stack, to->stacks);
	to->stacks_room = to->stacks;
	for (size_t i = 0; i < to->stacks; i++)
		copy_stack(&c, &to->stack[i]);
	COPY(&c, to->unseen, to->unseens);
	to->unseens_room = to->unseens;
	for (size_t i = 0; i < to->unseens; i++)
		copy_text(&c, &to->unseen[i]);
	if (!c.failed)
		return 0;
	state_fini(to);
	return -ENOMEM;
}

int state_copy(struct state *to, const struct state *from)
{
	struct arena arena = { 0 };
	struct state measure;

	/* how much it takes is known once it was done */
	*to = (struct state){ 0 };
	if (copy_into(&measure, from, arena))
		return -ENOMEM;
	const int r = arena_reserve(&arena, measure.arena.taken);
	state_fini(&measure);
	return r ? r : copy_into(to, from, arena);
}
