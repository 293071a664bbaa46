/*
 * arena - memory that is given back all at once.
 *
 * A state is built from thousands of small strings and arrays which live and die together.
 */
#ifndef SHMSCOPE_BASE_ARENA_H
#define SHMSCOPE_BASE_ARENA_H

#include <stddef.h>

struct arena_block;
struct arena {
	struct arena_block *block;
	size_t used, room;
	size_t bytes; /* held in all, for those who keep many */
	size_t taken; /* given out */
	size_t grown; /* of bytes: what nobody reserved */
};

/*
 * arena_take - zeroed, 16-byte aligned memory that lives until arena_fini().
 * Returns NULL when memory is exhausted.
 * Safety: one-owner.
 */
void *arena_take(struct arena *a, size_t bytes);

/*
 * arena_reserve - memory for what will be taken, in one piece. Only on an empty arena.
 * Returns 0 or -ENOMEM. Safety: one-owner.
 */
int arena_reserve(struct arena *a, size_t bytes);

/* arena_strdup - a copy of s (NULL gives NULL). Returns NULL without memory. Safety: one-owner. */
char *arena_strdup(struct arena *a, const char *s);

/* arena_printf - formatted text. Returns NULL without memory. Safety: one-owner. */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * arena_grow - room for one more element of an array that lives in the arena; doubles. The
 * outgrown copy stays until arena_fini(). New elements are zeroed.
 * Returns 0 or -ENOMEM (array untouched).
 * Safety: one-owner.
 */
int arena_grow(struct arena *a, void **array, size_t n, size_t *room, size_t element_bytes);
#define ARENA_GROW(a, array, n, room) \
	arena_grow((a), (void **)&(array), (n), &(room), sizeof(*(array)))

/* arena_fini - give everything back; the arena is empty and usable again. Safety: one-owner. */
void arena_fini(struct arena *a);

#endif
