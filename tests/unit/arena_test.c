#include "lib/base/arena.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "tests/t.h"

TEST(arrays_keep_their_elements_while_they_grow)
{
	struct arena a = { 0 };
	unsigned *v = NULL;
	size_t n = 0, room = 0;

	for (unsigned i = 0; i < 100000; i++) {
		T_EQ(ARENA_GROW(&a, v, n, room), 0);
		v[n++] = i;
	}
	for (unsigned i = 0; i < n; i++)
		T_EQ(v[i], i);
	arena_fini(&a);
}

TEST(memory_is_zeroed_and_texts_are_copies)
{
	struct arena a = { 0 };
	char text[] = "search";
	const char *copy = arena_strdup(&a, text);
	const unsigned char *big = arena_take(&a, 1 << 20);

	text[0] = 'x';
	T_STR(copy, "search");
	for (unsigned i = 0; i < 1 << 20; i++)
		T_EQ(big[i], 0);
	T_STR(arena_printf(&a, "%s(%d)", copy, 3), "search(3)");
	T_OK(arena_take(&a, SIZE_MAX - 3) == NULL);
	arena_fini(&a);
	T_OK(a.block == NULL);
}

TEST(what_is_reserved_is_enough_and_no_more)
{
	struct arena a = { 0 };

	for (int i = 0; i < 100; i++)
		arena_take(&a, (size_t)i);
	const size_t taken = a.taken;
	arena_fini(&a);
	T_EQ(arena_reserve(&a, taken), 0);
	const size_t bytes = a.bytes;
	T_OK(bytes >= taken && bytes < taken + 64);
	for (int i = 0; i < 100; i++)
		T_OK(arena_take(&a, (size_t)i) != NULL);
	T_EQ(a.bytes, bytes);
	T_EQ(a.taken, taken);
	T_EQ(arena_reserve(&a, SIZE_MAX), -ENOMEM);
	arena_fini(&a);
}
