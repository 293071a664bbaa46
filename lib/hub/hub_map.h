/*
 * hub_map - a hub file mapped into this process: where its tables are.
 *
 * Every address comes from a private, checked copy of the header; what others write into the
 * mapping later changes none of it.
 */
#ifndef SHMSCOPE_HUB_MAP_H
#define SHMSCOPE_HUB_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"
#include "lib/hub/hub_format.h"

struct hub_table {
	uint8_t *base;
	uint64_t stride, count, offset;
};

struct hub_map_class {
	uint32_t bytes, max, unit;   /* slot size, slots there is room for, bytes per backed bit */
	uint32_t answers;            /* the first so many slots are for answers only */
	struct hub_table slots, backed, payload;
};

struct hub_map {
	int fd;                      /* the open file; the host's holds the lock */
	uint8_t *base;
	uint64_t bytes;
	struct hub_header header;    /* private copy */
	struct hub_host *host;
	struct hub_table peers, rings, calls, peercalls, methods, classes;
	unsigned class_count;
	struct hub_map_class klass[HUB_CLASSES_MAX];
};

/*
 * hub_map_open - map the hub behind `fd`, whose checked header is `header`.
 *
 * fd   taken on success (closed by hub_map_close()).
 * map  filled on 0.
 *
 * The mapping is MADV_DONTFORK, its payload MADV_DONTDUMP. Nothing is read from the class
 * table: sizes are those of the section table, units follow from them.
 * Returns 0; -EPROTO when a table is missing or its elements are smaller than this build's;
 * what mmap() says; err set. Safety: MT-safe.
 */
int hub_map_open(const char *path, int fd, const struct hub_header *header, struct hub_map *map,
		 struct err *err);

/* hub_map_close - unmap and close. A zeroed map is fine when its fd is -1. Safety: one-owner. */
void hub_map_close(struct hub_map *map);

static inline void *hub_table_at(const struct hub_table *t, uint64_t i)
{
	return t->base + i * t->stride;
}

static inline struct hub_peer *hub_map_peer(const struct hub_map *map, unsigned peer)
{
	return hub_table_at(&map->peers, peer);
}

static inline struct hub_ring *hub_map_ring(const struct hub_map *map, unsigned peer, unsigned dir)
{
	return hub_table_at(&map->rings, 2 * peer + dir);
}

static inline struct hub_class *hub_map_class(const struct hub_map *map, unsigned klass)
{
	return hub_table_at(&map->classes, klass);
}

static inline struct hub_slot *hub_map_slot(const struct hub_map *map, unsigned klass, uint32_t i)
{
	return hub_table_at(&map->klass[klass].slots, i);
}

static inline struct hub_method *hub_map_method(const struct hub_map *map, unsigned i)
{
	return hub_table_at(&map->methods, i);
}

/* hub_map_count_call - a call is over: into the histogram of its method. Safety: MT-safe. */
void hub_map_count_call(struct hub_method *row, uint64_t ns, bool failed);

static inline uint8_t *hub_map_payload(const struct hub_map *map, unsigned klass, uint32_t i)
{
	return hub_table_at(&map->klass[klass].payload, i);
}

#endif
