#include "lib/hub/hub_layout.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum {
	GROWTH = 16,          /* default limit: so many times the first slots */
	ANSWERS_MAX = 8,
	SLOTS_MAX = 1 << 24,  /* a reference has 24 bits for the index */
	CLASS_BYTES_MIN = 256,
	CLASS_BYTES_MAX = 1 << 30,
};

static const struct shmhub_class default_classes[] = {
	{ 1 << 10, 1024, 0 }, { 16 << 10, 256, 0 }, { 256 << 10, 32, 0 },
	{ 4 << 20, 8, 0 },    { 16 << 20, 4, 0 },
};

static bool is_power_of_two(uint64_t n)
{
	return n && !(n & (n - 1));
}

static uint64_t page_up(uint64_t n)
{
	return (n + HUB_PAGE - 1) & ~(uint64_t)(HUB_PAGE - 1);
}

uint32_t hub_layout_unit(uint32_t slot_bytes)
{
	if (slot_bytes < HUB_CHUNK)
		return HUB_CHUNK;
	return slot_bytes < HUB_UNIT_MAX ? slot_bytes : HUB_UNIT_MAX;
}

static int range(const char *what, unsigned *value, unsigned standard, unsigned min, unsigned max,
		 struct err *err)
{
	if (!*value)
		*value = standard;
	if (*value < min || *value > max)
		return err_set(err, -EINVAL, "config: %s is %u (allowed: %u to %u)", what, *value,
			       min, max);
	return 0;
}

static int take_class(const struct shmhub_class *c, uint64_t before, struct hub_layout_class *k,
		      struct err *err)
{
	if (!is_power_of_two(c->bytes) || c->bytes < CLASS_BYTES_MIN || c->bytes > CLASS_BYTES_MAX ||
	    c->bytes <= before)
		return err_set(err, -EINVAL, "config: class of %zu bytes (a power of two from %d to"
			       " %d, each larger than the one before)",
			       c->bytes, CLASS_BYTES_MIN, CLASS_BYTES_MAX);
	if (!c->first || c->first > SLOTS_MAX || c->max > SLOTS_MAX || (c->max && c->max < c->first))
		return err_set(err, -EINVAL, "config: class of %zu bytes: %u slots growing to %u"
			       " (allowed: 1 to %d, growing upwards)",
			       c->bytes, c->first, c->max, SLOTS_MAX);
	*k = (struct hub_layout_class){ (uint32_t)c->bytes, c->first, c->max,
					hub_layout_unit((uint32_t)c->bytes) };
	return 0;
}

/* One lets answers through one by one; with some they go side by side. */
uint32_t hub_layout_answers(uint32_t max)
{
	const uint32_t quarter = max / 4;

	if (max < 2)
		return 0;
	return quarter < 1 ? 1 : quarter < ANSWERS_MAX ? quarter : ANSWERS_MAX;
}

/* Classes that say nothing about their growth share what the limit leaves them. */
static int set_growth(struct hub_layout *l, uint64_t limit, struct err *err)
{
	uint64_t first = 0;

	for (unsigned i = 0; i < l->header.classes; i++)
		first += (uint64_t)l->klass[i].bytes * l->klass[i].first;
	if (limit && limit < first)
		return err_set(err, -EINVAL, "config: limit is %llu bytes, the first slots alone want"
			       " %llu",
			       (unsigned long long)limit, (unsigned long long)first);
	const uint64_t factor = limit ? limit / first : GROWTH;

	for (unsigned i = 0; i < l->header.classes; i++) {
		struct hub_layout_class *k = &l->klass[i];
		const uint64_t max = (uint64_t)k->first * factor;

		if (!k->max)
			k->max = max > SLOTS_MAX ? SLOTS_MAX : (uint32_t)max;
	}
	return 0;
}

static void add_section(struct hub_header *h, uint32_t kind, uint32_t index, uint64_t stride,
			uint64_t count)
{
	h->section[h->section_count++] =
		(struct hub_section){ kind, index, h->file_bytes, stride, count };
	h->file_bytes = page_up(h->file_bytes + stride * count);
}

static void place(struct hub_layout *l)
{
	struct hub_header *h = &l->header;
	const uint64_t ring = sizeof(struct hub_ring) + (uint64_t)h->ring_cells * sizeof(struct hub_cell);

	memset(h->section, 0, sizeof(h->section));
	h->section_count = 0;
	h->file_bytes = HUB_PAGE;
	add_section(h, HUB_SECTION_HOST, 0, sizeof(struct hub_host), 1);
	add_section(h, HUB_SECTION_PEERS, 0, sizeof(struct hub_peer), h->peers_max + 1);
	add_section(h, HUB_SECTION_CLASSES, 0, sizeof(struct hub_class), h->classes);
	add_section(h, HUB_SECTION_METHODS, 0, sizeof(struct hub_method), HUB_METHODS);
	add_section(h, HUB_SECTION_CALLS, 0, sizeof(struct hub_call), h->calls_max);
	add_section(h, HUB_SECTION_PEERCALLS, 0, sizeof(struct hub_call),
		    (uint64_t)(h->peers_max + 1) * HUB_PEER_CALLS);
	add_section(h, HUB_SECTION_RINGS, 0, ring, 2 * ((uint64_t)h->peers_max + 1));
	for (unsigned i = 0; i < h->classes; i++)
		add_section(h, HUB_SECTION_SLOTS, i, sizeof(struct hub_slot), l->klass[i].max);
	for (unsigned i = 0; i < h->classes; i++) {
		const struct hub_layout_class *k = &l->klass[i];
		const uint64_t units = ((uint64_t)k->bytes * k->max + k->unit - 1) / k->unit;

		add_section(h, HUB_SECTION_BACKED, i, sizeof(uint64_t), (units + 63) / 64);
	}
	for (unsigned i = 0; i < h->classes; i++)
		add_section(h, HUB_SECTION_PAYLOAD, i, l->klass[i].bytes, l->klass[i].max);
}

/* One step towards a smaller file; false when there is none left. */
static bool shrink(struct hub_layout *l)
{
	struct hub_layout_class *largest = &l->klass[0];

	for (unsigned i = 1; i < l->header.classes; i++)
		if ((uint64_t)l->klass[i].bytes * l->klass[i].max >=
		    (uint64_t)largest->bytes * largest->max)
			largest = &l->klass[i];
	if (largest->max > 1) {
		largest->max /= 2;
		if (largest->first > largest->max)
			largest->first = largest->max;
		return true;
	}
	if (l->header.classes > 1) {
		l->header.classes--;
		return true;
	}
	return false;
}

static int take_config(const struct shmhub_config *config, struct hub_layout *l, struct err *err)
{
	struct shmhub_config c = *config;
	struct hub_header *h = &l->header;
	const struct shmhub_class *classes = c.class_count ? c.classes : default_classes;
	int r;

	if (!c.class_count)
		c.class_count = sizeof(default_classes) / sizeof(default_classes[0]);
	if ((r = range("peers_max", &c.peers_max, HUB_PEERS_DEFAULT, 1, HUB_PEERS_MAX, err)) ||
	    (r = range("ring_cells", &c.ring_cells, HUB_RING_CELLS_DEFAULT, HUB_RING_CELLS_MIN,
		       HUB_RING_CELLS_MAX, err)) ||
	    (r = range("calls_max", &c.calls_max, HUB_CALLS_DEFAULT, 16, HUB_CALLS_MAX, err)) ||
	    (r = range("class_count", &c.class_count, 1, 1, HUB_CLASSES_MAX, err)))
		return r;
	if (!is_power_of_two(c.ring_cells))
		return err_set(err, -EINVAL, "config: ring_cells is %u (a power of two is needed)",
			       c.ring_cells);
	h->peers_max = c.peers_max;
	h->ring_cells = c.ring_cells;
	h->calls_max = c.calls_max;
	h->classes = c.class_count;
	for (unsigned i = 0; i < h->classes; i++)
		if ((r = take_class(&classes[i], i ? classes[i - 1].bytes : 0, &l->klass[i], err)))
			return r;
	return set_growth(l, c.limit, err);
}

int hub_layout_make(const struct shmhub_config *config, uint64_t file_limit,
		    struct hub_layout *layout, struct err *err)
{
	struct hub_layout l = { 0 };
	const int r = take_config(config, &l, err);

	if (r)
		return r;
	memcpy(l.header.magic, HUB_MAGIC, sizeof(l.header.magic));
	l.header.byte_order = HUB_BYTE_ORDER;
	l.header.version = HUB_FORMAT_VERSION;
	l.header.header_bytes = sizeof(struct hub_header);
	l.header.page_bytes = HUB_PAGE;
	l.header.notify_window = HUB_NOTIFY_WINDOW;
	l.header.body_window = HUB_BODY_WINDOW;
	snprintf(l.header.writer, sizeof(l.header.writer), "%s", SHMSCOPE_VERSION);
	place(&l);
	while (l.header.file_bytes > file_limit) {
		if (!shrink(&l))
			return err_set(err, -EFBIG, "config: the hub's tables need %llu bytes, files"
				       " may have %llu here (ulimit -f)",
				       (unsigned long long)l.header.file_bytes,
				       (unsigned long long)file_limit);
		place(&l);
	}
	*layout = l;
	return 0;
}
