#include "lib/hub/hub_map.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/hub/hub_check.h"
#include "lib/hub/hub_layout.h"
#include "lib/hub/hub_os.h"

static int find_table(const char *path, const struct hub_map *map, enum hub_section_kind kind,
		      unsigned index, uint64_t min_stride, uint64_t min_count,
		      struct hub_table *table, struct err *err)
{
	const struct hub_section *s = hub_check_section(&map->header, kind, index);

	if (!s)
		return err_set(err, -EPROTO, "%s: section %s %u is missing", path,
			       hub_check_kind_name(kind), index);
	if (s->stride < min_stride || s->count < min_count)
		return err_set(err, -EPROTO, "%s: section %s %u has %llu elements of %llu bytes, this"
			       " build needs %llu of %llu",
			       path, hub_check_kind_name(kind), index, (unsigned long long)s->count,
			       (unsigned long long)s->stride, (unsigned long long)min_count,
			       (unsigned long long)min_stride);
	*table = (struct hub_table){ map->base + s->offset, s->stride, s->count, s->offset };
	return 0;
}

static int find_class(const char *path, struct hub_map *map, unsigned i, struct err *err)
{
	struct hub_map_class *k = &map->klass[i];
	int r;

	if ((r = find_table(path, map, HUB_SECTION_SLOTS, i, sizeof(struct hub_slot), 1, &k->slots,
			    err)) ||
	    (r = find_table(path, map, HUB_SECTION_PAYLOAD, i, 1, k->slots.count, &k->payload, err)))
		return r;
	if (k->payload.stride > INT32_MAX || k->slots.count > 1 << 24)
		return err_set(err, -EPROTO, "%s: class %u has %llu slots of %llu bytes", path, i,
			       (unsigned long long)k->slots.count,
			       (unsigned long long)k->payload.stride);
	k->bytes = (uint32_t)k->payload.stride;
	k->max = (uint32_t)k->slots.count;
	k->unit = hub_layout_unit(k->bytes);
	k->answers = hub_layout_answers(k->max);
	const uint64_t units = ((uint64_t)k->bytes * k->max + k->unit - 1) / k->unit;

	return find_table(path, map, HUB_SECTION_BACKED, i, sizeof(uint64_t), (units + 63) / 64,
			  &k->backed, err);
}

static int find_tables(const char *path, struct hub_map *map, struct err *err)
{
	const struct hub_header *h = &map->header;
	const uint64_t n = (uint64_t)h->peers_max + 1;
	const uint64_t ring = sizeof(struct hub_ring) + (uint64_t)h->ring_cells * sizeof(struct hub_cell);
	struct hub_table host;
	int r;

	if (h->classes > HUB_CLASSES_MAX || h->peers_max > HUB_PEERS_MAX ||
	    h->ring_cells > HUB_RING_CELLS_MAX || h->calls_max > HUB_CALLS_MAX ||
	    h->ring_cells < HUB_RING_CELLS_MIN || (h->ring_cells & (h->ring_cells - 1)))
		return err_set(err, -EPROTO, "%s: limits out of range (%u peers, %u cells, %u calls,"
			       " %u classes)",
			       path, h->peers_max, h->ring_cells, h->calls_max, h->classes);
	if ((r = find_table(path, map, HUB_SECTION_HOST, 0, sizeof(struct hub_host), 1, &host, err)) ||
	    (r = find_table(path, map, HUB_SECTION_PEERS, 0, sizeof(struct hub_peer), n, &map->peers,
			    err)) ||
	    (r = find_table(path, map, HUB_SECTION_RINGS, 0, ring, 2 * n, &map->rings, err)) ||
	    (r = find_table(path, map, HUB_SECTION_CALLS, 0, sizeof(struct hub_call), h->calls_max,
			    &map->calls, err)) ||
	    (r = find_table(path, map, HUB_SECTION_PEERCALLS, 0, sizeof(struct hub_call),
			    n * HUB_PEER_CALLS, &map->peercalls, err)) ||
	    (r = find_table(path, map, HUB_SECTION_METHODS, 0, sizeof(struct hub_method),
			    HUB_METHODS, &map->methods, err)) ||
	    (r = find_table(path, map, HUB_SECTION_CLASSES, 0, sizeof(struct hub_class), h->classes,
			    &map->classes, err)))
		return r;
	map->host = (struct hub_host *)host.base;
	map->class_count = h->classes;
	for (unsigned i = 0; i < h->classes; i++)
		if ((r = find_class(path, map, i, err)))
			return r;
	return 0;
}

/* Neither forks nor cores shall carry the payload: it is in the file. */
static void advise(const struct hub_map *map)
{
	madvise(map->base, map->bytes, MADV_DONTFORK);
	for (unsigned i = 0; i < map->class_count; i++) {
		const struct hub_table *t = &map->klass[i].payload;
		uint64_t bytes = (t->stride * t->count + HUB_PAGE - 1) & ~(uint64_t)(HUB_PAGE - 1);

		if (t->offset % HUB_PAGE == 0 && t->offset + bytes <= map->bytes)
			madvise(t->base, bytes, MADV_DONTDUMP);
	}
}

int hub_map_open(const char *path, int fd, const struct hub_header *header, struct hub_map *map,
		 struct err *err)
{
	struct hub_map m = { .fd = fd, .bytes = header->file_bytes, .header = *header };

	m.base = mmap(NULL, m.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (m.base == MAP_FAILED)
		return err_set(err, -errno, "%s: cannot map %llu bytes: %m", path,
			       (unsigned long long)m.bytes);
	const int r = find_tables(path, &m, err);

	if (r) {
		munmap(m.base, m.bytes);
		return r;
	}
	advise(&m);
	*map = m;
	return 0;
}

void hub_map_close(struct hub_map *map)
{
	if (map->base)
		munmap(map->base, map->bytes);
	map->base = NULL;
	if (map->fd >= 0)
		close(map->fd);
	map->fd = -1;
}

void hub_map_count_call(struct hub_method *row, uint64_t ns, bool failed)
{
	unsigned bucket = ns ? 63 - (unsigned)__builtin_clzll(ns) : 0;

	if (bucket >= HUB_LATENCY_BUCKETS)
		bucket = HUB_LATENCY_BUCKETS - 1;
	hub_add_shared(&row->calls, 1);
	if (failed)
		hub_add_shared(&row->failed, 1);
	hub_add_shared(&row->bucket[bucket], 1);
}
