#include "lib/state/state_copy.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "lib/state/ends.h"
#include "tests/state_build.h"
#include "tests/t.h"

/* A state with every pointer set. */
static struct state *full_state(void)
{
	static const char *const functions[] = { "epoll_wait", "hub_poll", NULL };
	struct state *st = build_state(0);
	struct state_hub *hub = build_hub(st, 20);
	struct state_class *k = build_class(st, hub, 65536, 64);
	struct state_peer *p = build_peer(hub, 3);

#define TEXT(s) arena_strdup(&st->arena, (s))
	build_owner(st, hub, k, p, HUB_TO_PEER, HUB_SLOT_HELD, 4, 41);
	build_call(st, hub, 0, 3, 77, 2);
	hub->method = arena_take(&st->arena, sizeof(*hub->method));
	*hub->method = (struct state_method){ .method = 7, .name = TEXT("search"), .calls = 3 };
	hub->methods = 1;
	hub->every = arena_take(&st->arena, sizeof(*hub->every));
	*hub->every = (struct state_slot){ .index = 12 };
	hub->everys = 1;
	for (unsigned dir = 0; dir < 2; dir++) {
		p->ring[dir].recent = arena_take(&st->arena, sizeof(*p->ring[dir].recent));
		*p->ring[dir].recent = (struct state_message){ .is_there = true, .call = 77 + dir };
		p->ring[dir].recents = 1;
	}
	hub->path = TEXT("/dev/shm/demo.hub");
	hub->writer = TEXT("0.1.0");
	hub->damage = TEXT("a little");
	p->ring[0].damage = TEXT("tail");
	p->ring[1].damage = TEXT("head");
	for (size_t i = 0; i < hub->peers; i++)
		hub->peer[i].name = TEXT(hub->peer[i].name);
	const int stack = build_stack(st, functions);
	struct state_stack *s = &st->stack[stack];
	s->end = TEXT("limit");
	for (size_t i = 0; i < s->frames; i++) {
		struct state_frame *f = &s->frame[i];

		f->function = TEXT(f->function);
		f->file = TEXT("main.c");
		f->module = TEXT("search");
		f->path = TEXT("/usr/bin/search");
		f->build_id = TEXT("abcd");
	}
	struct state_process *process = build_process(st, p);
	process->boot = TEXT("boot");
	process->name = TEXT("search");
	process->host = TEXT("host");
	process->exe = TEXT("/usr/bin/search");
	process->feed = TEXT("search-1-2.ndjson");
	struct state_thread *t = build_loop(st, p);
	t->name = TEXT("search");
	t->wait_text = TEXT("epoll_wait");
	t->captured = TEXT("peek");
	t->reason = TEXT("because");
	t->stack = stack;
	t->lock = arena_take(&st->arena, sizeof(*t->lock));
	struct state_holder *holder = arena_take(&st->arena, sizeof(*holder));
	holder->name = TEXT("flush");
	*t->lock = (struct state_lock){ .name = TEXT("index_lock"), .owner_name = TEXT("query"),
					.path = TEXT("/usr/bin/search"), .build_id = TEXT("abcd"),
					.holder = holder, .holders = 1 };
	for (unsigned i = 0; i < 2; i++)
		t->lock->around[i] = (struct state_memory){ (const uint8_t *)TEXT("mem"), 1, 3 };
	struct state_party *party = arena_take(&st->arena, sizeof(*party));
	*party = (struct state_party){ 12, 3, TEXT("make") };
	t->end = arena_take(&st->arena, sizeof(*t->end));
	*t->end = (struct state_end){ .fd = 7, .kind = TEXT("socket"), .is = TEXT("socket:[1]"),
				      .where = TEXT("tcp"), .unseen = TEXT("hidden"), .other = TEXT("socket:[2]"),
				      .party = party, .parties = 1 };
	t->ends = t->ends_all = 1;
	t->child = party;
	t->children = 1;
	T_EQ(ends_open(st, process, 5, "pipe:[4]", true, false), 0);
	struct state_input *input = state_add_input(st);
	input->path = TEXT("x");
	input->type = TEXT("hub");
	input->note = TEXT("cut off");
	state_note_unseen(st, "%s", "export: no feed");
	return st;
}

/* Whether a word is an address in the arena's memory. */
static bool is_in(const struct arena *a, uintptr_t word)
{
	/* a block begins with the pointer to the next */
	for (void *b = a->block; b; b = *(void **)b)
		if (word >= (uintptr_t)b && word < (uintptr_t)b + malloc_usable_size(b))
			return true;
	return false;
}

TEST(a_copy_points_nowhere_into_what_it_was_copied_from)
{
	struct state *st = full_state();
	struct state copy;

	T_EQ(state_copy(&copy, st), 0);
	const uintptr_t *words = (const uintptr_t *)&copy;
	for (size_t i = 0; i < sizeof(copy) / sizeof(*words); i++)
		T_OK(!is_in(&st->arena, words[i]));
	for (void *b = copy.arena.block; b; b = *(void **)b) {
		words = b;
		for (size_t i = 1; i < malloc_usable_size(b) / sizeof(*words); i++)
			T_OK(!is_in(&st->arena, words[i]));
	}
	build_free(st);
	state_fini(&copy);
}

TEST(a_copy_says_the_same_and_is_smaller)
{
	struct state *st = full_state();
	struct state copy;

	T_EQ(state_copy(&copy, st), 0);
	T_OK(copy.arena.bytes * 2 < st->arena.bytes);
	T_EQ(copy.now_us, st->now_us);
	T_EQ(copy.hub[0].peers, 20);
	T_STR(copy.hub[0].peer[2].name, "search");
	T_STR(copy.hub[0].peer[2].ring[1].damage, "head");
	T_EQ(copy.hub[0].klass[0].owner[0].n, 4);
	T_EQ(copy.hub[0].slots, 4);
	T_EQ(copy.hub[0].call[0].id, 77);
	T_STR(copy.hub[0].method[0].name, "search");
	T_EQ(copy.hub[0].every[0].index, 12);
	T_EQ(copy.hub[0].peer[2].ring[1].recent[0].call, 78);
	T_EQ(copy.processes, st->processes);
	const struct state_process *p = state_find_process(&copy, BUILD_HOST_PID + 3, 0);
	T_STR(p->feed, "search-1-2.ndjson");
	T_STR(p->thread[0].wait_text, "epoll_wait");
	T_STR(p->thread[0].lock->name, "index_lock");
	T_STR(p->thread[0].lock->holder[0].name, "flush");
	T_EQ(p->thread[0].lock->around[1].bytes[2], 'm');
	T_STR(p->thread[0].end->where, "tcp");
	T_STR(p->thread[0].end->party->name, "make");
	T_STR(p->thread[0].child->name, "make");
	T_STR(p->open[0].is, "pipe:[4]");
	T_STR(copy.stack[p->thread[0].stack].frame[1].function, "hub_poll");
	T_STR(copy.input[0].note, "cut off");
	T_STR(copy.unseen[0], "export: no feed");
	build_free(st);
	/* and it grows like any other */
	for (int i = 0; i < 100; i++)
		T_OK(state_add_process(&copy) != NULL);
	state_fini(&copy);
}

TEST(an_empty_state_has_an_empty_copy)
{
	struct state st, copy;

	state_init(&st);
	T_EQ(state_copy(&copy, &st), 0);
	T_EQ(copy.hubs + copy.processes + copy.stacks + copy.inputs, 0);
	state_fini(&copy);
	state_fini(&st);
}
