#include "lib/base/arena.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arena_block {
	struct arena_block *next;
	_Alignas(16) char bytes[];
};

/* Blocks double from the smaller size: most states are small, and shmtop keeps hundreds. */
enum { BLOCK_FIRST = 4 << 10, BLOCK = 64 << 10 };

static int add_block(struct arena *a, size_t room)
{
	struct arena_block *b = calloc(1, sizeof(*b) + room);

	if (!b)
		return -ENOMEM;
	b->next = a->block;
	a->block = b;
	a->used = 0;
	a->room = room;
	a->bytes += sizeof(*b) + room;
	return 0;
}

int arena_reserve(struct arena *a, size_t bytes)
{
	return bytes > SIZE_MAX / 2 ? -ENOMEM : add_block(a, bytes);
}

void *arena_take(struct arena *a, size_t bytes)
{
	if (bytes > SIZE_MAX / 2)
		return NULL;
	bytes = (bytes + 15) & ~(size_t)15;
	if (!a->block || bytes > a->room - a->used) {
		const size_t usual = !a->grown ? BLOCK_FIRST : a->grown < BLOCK ? a->grown : BLOCK;
		const size_t room = bytes > usual ? bytes : usual;

		if (add_block(a, room))
			return NULL;
		a->grown += room;
	}
	void *p = a->block->bytes + a->used;
	a->used += bytes;
	a->taken += bytes;
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	if (!s)
		return NULL;
	const size_t len = strlen(s) + 1;
	char *copy = arena_take(a, len);

	return copy ? memcpy(copy, s, len) : NULL;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;

	va_start(ap, fmt);
	va_copy(again, ap);
	const int len = vsnprintf(NULL, 0, fmt, ap);
	char *text = len < 0 ? NULL : arena_take(a, (size_t)len + 1);
	if (text)
		vsnprintf(text, (size_t)len + 1, fmt, again);
	va_end(again);
	va_end(ap);
	return text;
}

int arena_grow(struct arena *a, void **array, size_t n, size_t *room, size_t element_bytes)
{
	if (n < *room)
		return 0;
	const size_t more = *room ? *room * 2 : 8;
	size_t bytes;

	if (__builtin_mul_overflow(more, element_bytes, &bytes))
		return -ENOMEM;
	void *bigger = arena_take(a, bytes);
	if (!bigger)
		return -ENOMEM;
	if (n)
		memcpy(bigger, *array, n * element_bytes);
	*array = bigger;
	*room = more;
	return 0;
}

void arena_fini(struct arena *a)
{
	while (a->block) {
		struct arena_block *next = a->block->next;

		free(a->block);
		a->block = next;
	}
	*a = (struct arena){ 0 };
}
