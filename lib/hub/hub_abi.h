/*
 * hub_abi - public structs that may grow: each begins with its size, as its caller knows it.
 *
 * A program that was built against an older header hands in a shorter struct: what it does not
 * know keeps its default on the way in, and is not written on the way out. A later version adds
 * fields behind the size that a struct had before, never into padding, and what stands here
 * stays: the sizes of 0.1, the shortest that any program has.
 *
 * The structs without a size never change: shmhub_msg and shmhub_buf (they have opaque words),
 * shmhub_error, shmhub_class, shmhub_writer, shmhub_reader (tests/unit/hub_abi_test.c).
 *
 * Safety: everything here is MT-safe, wait-free.
 */
#ifndef SHMSCOPE_HUB_ABI_H
#define SHMSCOPE_HUB_ABI_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/hub/shmhub.h"

enum {
	HUB_ABI_CONFIG = 320,
	HUB_ABI_SPAWN = 72,
	HUB_ABI_PEER_CONFIG = 32,
	HUB_ABI_PEER_INFO = 96,
	HUB_ABI_STATS = 168,
	HUB_ABI_PEER_STATS = 104,
};

/* hub_abi_knows - may a caller say so? What it does not say is not looked at. */
static inline bool hub_abi_knows(size_t size, size_t first, size_t known)
{
	return size >= first && size <= known;
}

/* hub_abi_refuse - says what is wrong with it. Returns -EINVAL. */
static inline int hub_abi_refuse(struct err *err, const char *what, size_t size, size_t first,
				 size_t known)
{
	err_set(err, -EINVAL, "%s: its size is %zu, this library knows %zu to %zu", what, size, first,
		known);
	return err_next(err, "set .size = sizeof(struct ...) before the call; a program built against"
			     " a later shmhub.h needs that library");
}

/* hub_abi_take - the caller's `from` into `to`, which holds the defaults and is `known` long. */
static inline int hub_abi_take(void *to, const void *from, size_t first, size_t known,
			       const char *what, struct err *err)
{
	const size_t size = *(const size_t *)from;

	if (!hub_abi_knows(size, first, known))
		return hub_abi_refuse(err, what, size, first, known);
	memcpy(to, from, size);
	memcpy(to, &known, sizeof(known));
	return 0;
}

/* hub_abi_give - `from`, which is `known` long, into the caller's `to` as far as it goes. */
static inline int hub_abi_give(void *to, const void *from, size_t first, size_t known)
{
	const size_t size = *(const size_t *)to;

	if (!hub_abi_knows(size, first, known))
		return -EINVAL;
	memcpy((char *)to + sizeof(size), (const char *)from + sizeof(size), size - sizeof(size));
	return 0;
}

#endif
