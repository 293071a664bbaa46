/*
 * grow - arrays that get longer.
 *
 *	struct thread *t = NULL; size_t n = 0, room = 0;
 *	if (!GROW(t, n, room)) return -ENOMEM;
 *	t[n++] = (struct thread){ ... };
 */
#ifndef SHMSCOPE_BASE_GROW_H
#define SHMSCOPE_BASE_GROW_H

#include <stdbool.h>
#include <stddef.h>

/*
 * grow - make room for one more element; doubles, never overflows.
 * array  address of the array pointer.  n  elements in use.  room  elements there is room for.
 * Returns false when memory is exhausted (the array is untouched).
 * New elements are zeroed.
 * Safety: one-owner.
 */
bool grow(void **array, size_t n, size_t *room, size_t element_bytes);

#define GROW(array, n, room) grow((void **)&(array), (n), &(room), sizeof(*(array)))

#endif
