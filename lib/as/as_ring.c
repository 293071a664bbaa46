#include "lib/as/as_ring.h"

#include <errno.h>

#include "lib/as/as_crc.h"
#include "lib/as/as_fmt.h"
#include "lib/as/as_sys.h"

/* Words of a private copy: nobody else writes them. */
static uint64_t word64(const _Atomic uint64_t *w)
{
	/* relaxed: a private copy */
	return atomic_load_explicit(w, memory_order_relaxed);
}

static uint32_t word32(const _Atomic uint32_t *w)
{
	/* relaxed: a private copy */
	return atomic_load_explicit(w, memory_order_relaxed);
}

static void clear(void *p, size_t n)
{
	unsigned char *c = p;

	while (n--)
		*c++ = 0;
}

/* All of it: 0; less (the file was cut): -ENODATA. */
static int read_at(const struct as_hub *hub, void *to, size_t n, uint64_t at)
{
	unsigned char *p = to;

	while (n) {
		const ssize_t got = as_sys_pread(hub->fd, p, n, at);

		if (got == -EINTR)
			continue;
		if (got < 0)
			return (int)got;
		if (got == 0)
			return -ENODATA;
		p += got;
		at += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

/* Element `i` of a table; of an older writer's shorter element the rest reads as zero. */
static int read_element(const struct as_hub *hub, const struct hub_section *s, uint64_t i, void *to,
			size_t n)
{
	if (!s || i >= s->count)
		return -ENOENT;
	clear(to, n);
	return read_at(hub, to, n < s->stride ? n : (size_t)s->stride, s->offset + i * s->stride);
}

/* c NULL: without the second number. */
static void say(char *text, const char *a, uint64_t x, const char *b, uint64_t y, const char *c)
{
	struct as_fmt f;

	if (text[0])
		return; /* the first thing that is wrong is told */
	as_fmt_init(&f, text, AS_RING_TEXT);
	as_fmt_str(&f, a);
	as_fmt_u64(&f, x);
	as_fmt_str(&f, b);
	if (!c)
		return;
	as_fmt_u64(&f, y);
	as_fmt_str(&f, c);
}

static void say_plainly(char *text, const char *words)
{
	struct as_fmt f;

	if (text[0])
		return;
	as_fmt_init(&f, text, AS_RING_TEXT);
	as_fmt_str(&f, words);
}

/* ---- the first page ----------------------------------------------------------------------- */

static const char *section_name(unsigned kind)
{
	static const char *const name[] = HUB_SECTION_NAMES;

	return kind < sizeof(name) / sizeof(name[0]) ? name[kind] : "unknown";
}

static void say_section(char *text, const struct hub_section *s, uint64_t file_bytes)
{
	struct as_fmt f;

	if (text[0])
		return;
	as_fmt_init(&f, text, AS_RING_TEXT);
	as_fmt_str(&f, "section table: ");
	as_fmt_str(&f, section_name(s->kind));
	as_fmt_str(&f, " ");
	as_fmt_u64(&f, s->index);
	as_fmt_str(&f, " lies outside the file (offset ");
	as_fmt_u64(&f, s->offset);
	as_fmt_str(&f, ", ");
	as_fmt_u64(&f, s->count);
	as_fmt_str(&f, " x ");
	as_fmt_u64(&f, s->stride);
	as_fmt_str(&f, " bytes; the file has ");
	as_fmt_u64(&f, file_bytes);
	as_fmt_str(&f, ")");
}

static bool is_inside(const struct hub_section *s, uint64_t file_bytes)
{
	uint64_t bytes, end;

	return s->stride && s->count && s->offset >= HUB_PAGE &&
	       !__builtin_mul_overflow(s->stride, s->count, &bytes) &&
	       !__builtin_add_overflow(s->offset, bytes, &end) && end <= file_bytes;
}

static bool is_magic(const char *p)
{
	for (unsigned i = 0; i < 8; i++)
		if (p[i] != HUB_MAGIC[i])
			return false;
	return true;
}

/* Does the checksum say that nobody wrote here since, but for the magic? */
static bool is_sealed(const struct hub_header *h)
{
	const char *p = (const char *)h;
	const size_t crc = offsetof(struct hub_header, crc);
	const uint32_t none = 0;
	uint32_t sum = as_crc_add(AS_CRC_START, HUB_MAGIC, sizeof(h->magic));

	sum = as_crc_add(sum, p + sizeof(h->magic), crc - sizeof(h->magic));
	sum = as_crc_add(sum, &none, sizeof(none));
	sum = as_crc_add(sum, p + crc + sizeof(none), sizeof(*h) - crc - sizeof(none));
	return ~sum == h->crc;
}

/* Limits that later arithmetic relies on. */
static bool has_sane_limits(const struct hub_header *h)
{
	return h->ring_cells >= HUB_RING_CELLS_MIN && h->ring_cells <= HUB_RING_CELLS_MAX &&
	       (h->ring_cells & (h->ring_cells - 1)) == 0 && h->peers_max >= 1 &&
	       h->peers_max <= HUB_PEERS_MAX && h->classes <= HUB_CLASSES_MAX;
}

static void check_sections(struct as_hub *hub)
{
	struct hub_header *h = &hub->header;

	if (h->section_count > HUB_SECTIONS) {
		say(hub->damage, "header: ", h->section_count, " sections (", HUB_SECTIONS,
		    " at most)");
		h->section_count = HUB_SECTIONS;
	}
	for (unsigned i = 0; i < h->section_count; i++) {
		struct hub_section *s = &h->section[i];

		if (s->kind == HUB_SECTION_NONE || is_inside(s, hub->file_bytes))
			continue;
		say_section(hub->damage, s, hub->file_bytes);
		s->kind = HUB_SECTION_NONE;
	}
}

int as_hub_open(struct as_hub *hub, int fd)
{
	struct stat st;

	clear(hub, sizeof(*hub));
	hub->fd = fd;
	int r = as_sys_fstat(fd, &st);
	if (r < 0)
		return r;
	hub->file_bytes = (uint64_t)st.st_size;
	r = read_at(hub, &hub->header, sizeof(hub->header), 0);
	if (r)
		return r == -ENODATA ? -EBADMSG : r;
	struct hub_header *h = &hub->header;
	const bool has_magic = is_magic(h->magic), sealed = is_sealed(h);
	if (h->byte_order != HUB_BYTE_ORDER || (!has_magic && !sealed))
		return -EBADMSG;
	if (h->version < HUB_FORMAT_OLDEST || h->version > HUB_FORMAT_VERSION)
		return -EPROTO;
	if (!has_sane_limits(h))
		return -ERANGE;
	if (!has_magic)
		say_plainly(hub->damage, "header: the magic is overwritten");
	check_sections(hub);
	if (!sealed)
		say_plainly(hub->damage, "header: its checksum does not match: some of its fields were "
					 "overwritten");
	return 0;
}

const struct hub_section *as_hub_section(const struct as_hub *hub, unsigned kind, unsigned index)
{
	for (unsigned i = 0; i < hub->header.section_count; i++)
		if (hub->header.section[i].kind == kind && hub->header.section[i].index == index)
			return &hub->header.section[i];
	return NULL;
}

int as_hub_host(const struct as_hub *hub, struct hub_host *host)
{
	return read_element(hub, as_hub_section(hub, HUB_SECTION_HOST, 0), 0, host, sizeof(*host));
}

int as_hub_peer(const struct as_hub *hub, unsigned id, struct hub_peer *peer)
{
	return read_element(hub, as_hub_section(hub, HUB_SECTION_PEERS, 0), id, peer, sizeof(*peer));
}

unsigned as_hub_peers(const struct as_hub *hub)
{
	const struct hub_section *s = as_hub_section(hub, HUB_SECTION_PEERS, 0);

	return s ? (unsigned)(s->count < HUB_PEERS_MAX + 1 ? s->count : HUB_PEERS_MAX + 1) : 0;
}

int as_method_read(const struct as_hub *hub, unsigned i, struct hub_method *method)
{
	return read_element(hub, as_hub_section(hub, HUB_SECTION_METHODS, 0), i, method,
			    sizeof(*method));
}

uint64_t as_hub_ms_us(const struct as_hub *hub, uint32_t ms, uint64_t near_us)
{
	const uint64_t created_us = hub->header.created_ns / 1000;
	const uint64_t near_ms = near_us > created_us ? (near_us - created_us) / 1000 : 0;
	/* the 64-bit stamp whose low half is ms and which is closest to near_ms */
	const uint64_t full = near_ms + (uint64_t)(int64_t)(int32_t)(ms - (uint32_t)near_ms);

	return created_us + full * 1000;
}

/* ---- rings ---------------------------------------------------------------------------------- */

struct ring_place {
	uint64_t words, cells; /* offsets in the file */
	uint32_t capacity;
};

static int find_ring(const struct as_hub *hub, unsigned peer, unsigned dir, struct ring_place *at)
{
	const struct hub_section *s = as_hub_section(hub, HUB_SECTION_RINGS, 0);
	const uint64_t i = 2 * (uint64_t)peer + dir;
	const uint64_t cells = (uint64_t)hub->header.ring_cells * sizeof(struct hub_cell);

	if (!s || dir > 1 || i >= s->count || s->stride < cells + sizeof(struct hub_ring))
		return -ENOENT;
	at->words = s->offset + i * s->stride;
	at->cells = at->words + s->stride - cells; /* a newer writer's words may be longer */
	at->capacity = hub->header.ring_cells;
	return 0;
}

/* The consumer's line first: tail must not be newer than the head it is compared with. */
static int read_words(const struct as_hub *hub, const struct ring_place *at, struct hub_ring *words)
{
	const size_t line = offsetof(struct hub_ring, tail);
	const int r = read_at(hub, (char *)words + line, sizeof(*words) - line, at->words + line);

	return r ? r : read_at(hub, words, line, at->words);
}

/* A window of consecutive cells in private memory. */
struct cells {
	const struct as_hub *hub;
	const struct ring_place *at;
	union as_ring_space *space;
	uint64_t first;        /* position of cell[0] */
	unsigned n;
};

static int cell_at(struct cells *c, uint64_t position, const struct hub_cell **cell)
{
	if (position < c->first || position >= c->first + c->n) {
		const uint64_t slot = position & (c->at->capacity - 1);
		const uint64_t room = c->at->capacity - slot;

		c->first = position;
		c->n = room < AS_RING_BATCH ? (unsigned)room : AS_RING_BATCH;
		const int r = read_at(c->hub, c->space, c->n * sizeof(struct hub_cell),
				      c->at->cells + slot * sizeof(struct hub_cell));
		if (r) {
			c->n = 0;
			return r;
		}
	}
	*cell = &c->space->cell[position - c->first];
	return 0;
}

enum cell_is { CELL_EMPTY, CELL_MESSAGE, CELL_NEWER, CELL_WRONG };

/* What the word of the cell at `position` says of a message that begins there. */
static enum cell_is judge_first(uint64_t word, uint64_t position, uint32_t capacity)
{
	const uint64_t is = HUB_WORD_POSITION(word);

	if (word == 0 || is + capacity == position || is + 2 * (uint64_t)capacity <= position)
		return CELL_EMPTY; /* of an earlier lap, or never written */
	if (is > position)
		return (is - position) % capacity == 0 ? CELL_NEWER : CELL_WRONG;
	if (is != position)
		return CELL_WRONG;
	if (!HUB_WORD_FIRST(word))
		return CELL_WRONG;
	return HUB_WORD_CELLS(word) >= 1 && HUB_WORD_CELLS(word) <= HUB_MSG_CELLS ? CELL_MESSAGE
										   : CELL_WRONG;
}

static void copy_message(struct as_message *m, const struct hub_cell *cell, uint64_t position)
{
	*m = (struct as_message){
		.is_there = true, .position = position, .time_ms = cell->time_ms,
		.call = cell->call, .len = cell->len, .slot = cell->slot, .method = cell->method,
		.kind = cell->kind, .flags = cell->flags, .aux = cell->aux,
	};
}

static bool has_slot(const struct as_hub *hub, uint32_t slot)
{
	const struct hub_section *s =
		as_hub_section(hub, HUB_SECTION_SLOTS, HUB_SLOT_REF_CLASS(slot));

	return !s || HUB_SLOT_REF_INDEX(slot) < s->count; /* a lost table is told by itself */
}

static void check_descriptor(const struct as_hub *hub, const struct as_message *m, char *damage)
{
	if (m->kind == HUB_KIND_NONE || m->kind > HUB_KIND_LEAVE)
		say(damage, "descriptor ", m->position, ": kind ", m->kind, " does not exist");
	else if (m->slot != HUB_NO_SLOT && HUB_SLOT_REF_CLASS(m->slot) >= hub->header.classes)
		say(damage, "descriptor ", m->position, ": class ", HUB_SLOT_REF_CLASS(m->slot),
		    " does not exist");
	else if (m->slot != HUB_NO_SLOT && !has_slot(hub, m->slot))
		say(damage, "a descriptor names slot ", HUB_SLOT_REF_INDEX(m->slot), " of class ",
		    HUB_SLOT_REF_CLASS(m->slot), ", which does not exist");
	else if (m->slot == HUB_NO_SLOT && m->len > HUB_INLINE_MAX)
		say(damage, "descriptor ", m->position, ": ", m->len,
		    " bytes of payload do not fit in the ring");
}

/* From tail on, message by message. 0; -EAGAIN when the consumer went on meanwhile. */
static int walk_cells(const struct as_hub *hub, struct cells *c, struct as_ring *ring)
{
	uint64_t position = ring->tail;

	while (position - ring->tail < ring->capacity) {
		const struct hub_cell *cell;
		int r = cell_at(c, position, &cell);

		if (r)
			return r;
		const uint64_t word = word64(&cell->word);
		const enum cell_is is = judge_first(word, position, ring->capacity);
		if (is == CELL_NEWER)
			return -EAGAIN;
		if (is == CELL_WRONG)
			say(ring->damage, "cell ", position, " carries the word of position ",
			    HUB_WORD_POSITION(word), "");
		if (is != CELL_MESSAGE)
			break;
		copy_message(&ring->newest, cell, position);
		check_descriptor(hub, &ring->newest, ring->damage);
		if (!ring->waiting++)
			ring->oldest = ring->newest;
		for (unsigned i = 1; i < HUB_WORD_CELLS(word); i++) {
			r = cell_at(c, position + i, &cell);
			if (r)
				return r;
			if (word64(&cell->word) != HUB_WORD(position + i, 0, i))
				say(ring->damage, "cell ", position + i, " is no continuation of ",
				    position, "");
		}
		position += HUB_WORD_CELLS(word);
	}
	ring->published = position;
	return 0;
}

/*
 * Cells are published before head is stored, so they may be ahead of it, but by no more than the
 * one message that is being sent. In a ring in use head is older than the cells that were read
 * after it: it is read again then.
 */
static int check_head(const struct as_hub *hub, const struct ring_place *at, struct as_ring *ring)
{
	struct hub_ring again;

	if (!ring->waiting || ring->published <= ring->head + HUB_MSG_CELLS)
		return 0;
	const int r = read_words(hub, at, &again);
	if (r)
		return r;
	ring->head = word64(&again.head);
	if (ring->published > ring->head + HUB_MSG_CELLS)
		say(ring->damage, "written ", ring->head, ", but its cells go on to ",
		    ring->published, "");
	return 0;
}

static void check_ring(struct as_ring *ring)
{
	/* one message of slack: cells are published before head is stored */
	if (ring->tail > ring->head + HUB_MSG_CELLS)
		say(ring->damage, "written ", ring->head, ", read ", ring->tail,
		    " (more than written)");
	else if (ring->head > ring->tail + ring->capacity)
		say(ring->damage, "written ", ring->head, ", read ", ring->tail,
		    " (further apart than the ring is long)");
	else if (ring->head > ring->published)
		say(ring->damage, "written ", ring->head, ", but its cells end at ",
		    ring->published, "");
}

static int read_once(const struct as_hub *hub, const struct ring_place *at,
		     union as_ring_space *space, struct as_ring *ring)
{
	struct cells c = { .hub = hub, .at = at, .space = space };

	clear(ring, sizeof(*ring));
	const int r = read_words(hub, at, &ring->words);
	if (r)
		return r;
	ring->head = word64(&ring->words.head);
	ring->tail = word64(&ring->words.tail);
	ring->capacity = at->capacity;
	ring->published = ring->tail;
	const int walked = walk_cells(hub, &c, ring);

	return walked ? walked : check_head(hub, at, ring);
}

int as_ring_read(const struct as_hub *hub, unsigned peer, unsigned dir, union as_ring_space *space,
		 struct as_ring *ring)
{
	struct ring_place at;
	struct hub_ring again;
	int r = find_ring(hub, peer, dir, &at);

	if (r)
		return r;
	for (unsigned i = 0; i < AS_RING_TRIES; i++) {
		r = read_once(hub, &at, space, ring);
		if (r && r != -EAGAIN)
			return r;
		if (!r)
			check_ring(ring);
		if (!r && !ring->damage[0])
			return 0;
		/* what looked wrong in a ring that moved is looked at again */
		if (!r && read_words(hub, &at, &again) == 0 && word64(&again.tail) == ring->tail &&
		    word64(&again.head) == ring->head)
			return 0;
	}
	/* it moved at each try: too busy to be read whole, which is not wrong */
	clear(ring->damage, sizeof(ring->damage));
	return 0;
}

static void reverse(struct as_message *m, unsigned n)
{
	for (unsigned i = 0; i < n / 2; i++) {
		const struct as_message other = m[i];

		m[i] = m[n - 1 - i];
		m[n - 1 - i] = other;
	}
}

int as_ring_history(const struct as_hub *hub, unsigned peer, unsigned dir,
		    union as_ring_space *space, const struct as_ring *ring, struct as_message *out,
		    unsigned last)
{
	struct ring_place at;
	const int r = find_ring(hub, peer, dir, &at);
	struct cells c = { .hub = hub, .at = &at, .space = space };
	unsigned n = 0;

	if (r)
		return r;
	const uint64_t end = ring->published;
	uint64_t position = end > at.capacity ? end - at.capacity : 0;

	while (position < end) {
		const struct hub_cell *cell;
		const int failed = cell_at(&c, position, &cell);

		if (failed)
			return failed;
		const uint64_t word = word64(&cell->word);
		if (judge_first(word, position, at.capacity) != CELL_MESSAGE) {
			position++; /* overwritten meanwhile, in part or whole */
			continue;
		}
		copy_message(&out[n++ % last], cell, position);
		position += HUB_WORD_CELLS(word);
	}
	if (n <= last)
		return (int)n;
	/* the oldest stands at n % last: turn it to the front */
	reverse(out, n % last);
	reverse(out + n % last, last - n % last);
	reverse(out, last);
	return (int)last;
}

int as_ring_words(const struct as_hub *hub, unsigned peer, unsigned dir, struct hub_ring *words)
{
	struct ring_place at;
	const int r = find_ring(hub, peer, dir, &at);

	return r ? r : read_words(hub, &at, words);
}

int as_ring_find(const struct as_hub *hub, unsigned peer, unsigned dir, union as_ring_space *space,
		 uint32_t slot, uint32_t call, struct as_message *found)
{
	struct ring_place at;
	struct hub_ring words;
	int r = find_ring(hub, peer, dir, &at);

	if (!r)
		r = read_words(hub, &at, &words);
	if (r)
		return r;
	struct cells c = { .hub = hub, .at = &at, .space = space };
	const uint64_t tail = word64(&words.tail);
	for (uint64_t position = tail; position - tail < at.capacity;) {
		const struct hub_cell *cell;

		r = cell_at(&c, position, &cell);
		if (r)
			return r;
		const uint64_t word = word64(&cell->word);
		if (judge_first(word, position, at.capacity) != CELL_MESSAGE)
			return 0;
		if (slot == HUB_NO_SLOT ? cell->call == call : cell->slot == slot) {
			copy_message(found, cell, position);
			return 1;
		}
		position += HUB_WORD_CELLS(word);
	}
	return 0;
}

/* ---- tables, in batches ----------------------------------------------------------------------- */

static int walk_begin(struct as_ring_walk *w, const struct as_hub *hub, union as_ring_space *space,
		      const struct hub_section *section, uint64_t first, uint64_t end)
{
	*w = (struct as_ring_walk){ .hub = hub, .space = space, .section = section, .first = first,
				    .end = end, .next = first };
	/* elements lie in space as in the file: an odd stride would misalign them */
	if (!section || section->stride > sizeof(*space) || section->stride < 64 ||
	    section->stride % 8)
		return -ENOENT;
	if (w->end > section->count)
		w->end = section->count;
	return 0;
}

static int walk_next(struct as_ring_walk *w, const void **element)
{
	const uint64_t stride = w->section->stride;

	if (w->next >= w->end)
		return 0;
	if (w->next >= w->batch + w->batched) {
		const uint64_t room = sizeof(*w->space) / stride, left = w->end - w->next;

		w->batch = w->next;
		w->batched = (unsigned)(left < room ? left : room);
		const int r = read_at(w->hub, w->space, (size_t)(w->batched * stride),
				      w->section->offset + w->batch * stride);
		if (r)
			return r;
	}
	*element = w->space->bytes + (w->next - w->batch) * stride;
	w->next++;
	return 1;
}

static int read_class_words(const struct as_hub *hub, unsigned index, struct hub_class *words)
{
	if (index >= hub->header.classes)
		return -ENOENT;
	return read_element(hub, as_hub_section(hub, HUB_SECTION_CLASSES, 0), index, words,
			    sizeof(*words));
}

int as_slots_begin(struct as_ring_walk *walk, const struct as_hub *hub, unsigned klass,
		   union as_ring_space *space)
{
	struct hub_class words;
	const int r = read_class_words(hub, klass, &words);

	if (r)
		return r;
	const uint32_t most = HUB_SLOT_REF_INDEX(UINT32_MAX) + 1, published = word32(&words.slots);

	return walk_begin(walk, hub, space, as_hub_section(hub, HUB_SECTION_SLOTS, klass), 0,
			  published < most ? published : most);
}

int as_slots_next(struct as_ring_walk *walk, const struct hub_slot **slot, uint32_t *index)
{
	const void *p = NULL;
	const int r = walk_next(walk, &p);

	if (r == 1) {
		*slot = p;
		*index = (uint32_t)(walk->next - 1);
	}
	return r;
}

int as_calls_begin(struct as_ring_walk *walk, const struct as_hub *hub, unsigned by,
		   union as_ring_space *space)
{
	if (!by)
		return walk_begin(walk, hub, space, as_hub_section(hub, HUB_SECTION_CALLS, 0), 0,
				  hub->header.calls_max);
	/* a peer's entries lie side by side in one table of all peers */
	return walk_begin(walk, hub, space, as_hub_section(hub, HUB_SECTION_PEERCALLS, 0),
			  (uint64_t)by * HUB_PEER_CALLS, (uint64_t)(by + 1) * HUB_PEER_CALLS);
}

int as_calls_next(struct as_ring_walk *walk, const struct hub_call **call)
{
	const void *p = NULL;
	int r;

	while ((r = walk_next(walk, &p)) == 1) {
		*call = p;
		if (HUB_CALL_STATE(word64(&(*call)->word)) != HUB_CALL_FREE)
			return 1;
	}
	return r;
}

bool as_call_is_telling(const struct hub_call *call, unsigned by)
{
	return !call->enqueued_at || call->for_call ||
	       (!by && call->enqueued_peer != HUB_CALL_PEER(word64(&call->word)));
}

bool as_slot_is_sane(const struct as_hub *hub, uint64_t word)
{
	const unsigned state = HUB_SLOT_STATE(word);

	if (state >= HUB_SLOT_STATES)
		return false;
	if (state == HUB_SLOT_FREE || state == HUB_SLOT_PUNCHING)
		return true; /* what else is left in the word says who had it last */
	return HUB_SLOT_PEER(word) >= 1 && HUB_SLOT_PEER(word) <= hub->header.peers_max;
}

/* Where its owner is noted, or is to be: half of the table stays free. */
static uint16_t *owner_of(struct as_class *k, uint64_t word)
{
	/* all of the word but the generation: state, direction, peer, incarnation */
	const uint32_t hands = (uint32_t)word & ((1U << 24) - 1);

	for (uint32_t i = hands * 0x9e3779b1U >> 16;; i++) {
		uint16_t *const at = &k->owner_at[i % (2 * AS_RING_OWNERS)];
		const struct as_owner *o = &k->owner[*at ? *at - 1 : 0];

		if (!*at || (o->peer == HUB_SLOT_PEER(word) && o->state == HUB_SLOT_STATE(word) &&
			     o->incarnation == HUB_SLOT_INCARNATION(word) &&
			     o->direction == HUB_SLOT_DIRECTION(word)))
			return at;
	}
}

static void count_owner(struct as_class *k, const struct hub_slot *slot, uint64_t word)
{
	const uint32_t ms = word32(&slot->time_ms);
	uint16_t *const at = owner_of(k, word);

	if (!*at && k->owners == AS_RING_OWNERS) {
		k->owners_left_out++;
		return;
	}
	struct as_owner *o = &k->owner[*at ? *at - 1U : k->owners];
	if (!*at) {
		*at = (uint16_t)++k->owners;
		*o = (struct as_owner){
			.peer = (uint16_t)HUB_SLOT_PEER(word),
			.incarnation = (uint16_t)HUB_SLOT_INCARNATION(word),
			.direction = (uint8_t)HUB_SLOT_DIRECTION(word),
			.state = (uint8_t)HUB_SLOT_STATE(word),
			.oldest_ms = ms,
		};
	}
	o->n++;
	if ((int32_t)(ms - o->oldest_ms) < 0)
		o->oldest_ms = ms;
}

static void check_class(struct as_class *klass, uint64_t room)
{
	const uint32_t bytes = klass->words.bytes, published = word32(&klass->words.slots);

	if (published > room)
		say(klass->damage, "", published, " slots published, room for ", room, "");
	if (!bytes || (bytes & (bytes - 1)))
		say(klass->damage, "slots of ", bytes, " bytes (a power of two is legal)", 0, NULL);
	if (published > klass->words.slots_max)
		say(klass->damage, "", published, " slots published, ", klass->words.slots_max,
		    " at most");
}

int as_class_read(const struct as_hub *hub, unsigned index, union as_ring_space *space,
		  struct as_class *klass)
{
	struct as_ring_walk walk;
	const struct hub_slot *slot;
	uint32_t i;

	clear(klass, sizeof(*klass));
	int r = read_class_words(hub, index, &klass->words);
	if (!r)
		r = as_slots_begin(&walk, hub, index, space);
	if (r)
		return r;
	klass->slots = (uint32_t)walk.end;
	check_class(klass, walk.end);
	while ((r = as_slots_next(&walk, &slot, &i)) == 1) {
		const uint64_t word = word64(&slot->word);

		if (!as_slot_is_sane(hub, word)) {
			if (klass->bad++)
				continue;
			klass->first_bad = i;
			klass->first_bad_word = word;
			klass->first_bad_at = walk.section->offset + i * walk.section->stride;
			continue;
		}
		klass->count[HUB_SLOT_STATE(word)]++;
		if (HUB_SLOT_STATE(word) != HUB_SLOT_FREE && HUB_SLOT_STATE(word) != HUB_SLOT_PUNCHING)
			count_owner(klass, slot, word);
	}
	return r;
}
