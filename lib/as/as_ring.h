/*
 * as_ring - read a hub file: rings, slots, calls, by pread() into private memory.
 *
 * For the dumper of a hung process and for the tools alike. Nothing is mapped (a mapping would
 * allocate the holes it reads, and a truncated file would be SIGBUS), and nothing is believed:
 * offsets come from the section table, each is checked against the file's size, and what
 * contradicts itself is named instead of followed. A ring in use changes while it is read: tail
 * is read before head, and both before the cells; when the cells show that the consumer went on
 * meanwhile, the ring is read again, at most AS_RING_TRIES times.
 *
 * Safety, for every function here: AS-safe, MT-safe on different objects; may block on the
 * filesystem as pread() does.
 */
#ifndef SHMSCOPE_AS_RING_H
#define SHMSCOPE_AS_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/hub/hub_format.h"

enum { AS_RING_TRIES = 4, AS_RING_BATCH = 64, AS_RING_OWNERS = 256, AS_RING_TEXT = 160 };

/* An open hub file. */
struct as_hub {
	int fd;                   /* borrowed */
	uint64_t file_bytes;      /* when it was opened */
	struct hub_header header; /* sections that do not lie in the file have kind NONE */
	char damage[AS_RING_TEXT]; /* "": none; else what of the header cannot be believed */
};

/* A batch of cells, slots or calls; the caller's, reused from call to call. */
union as_ring_space {
	struct hub_cell cell[AS_RING_BATCH];
	struct hub_slot slot[AS_RING_BATCH];
	struct hub_call call[AS_RING_BATCH];
	unsigned char bytes[AS_RING_BATCH * 64];
};

struct as_message { /* a descriptor that waits */
	bool is_there;
	uint64_t position;        /* of its first cell */
	uint32_t time_ms, call, len, slot;
	uint16_t method;
	uint8_t kind, flags;
	int32_t aux;
};

struct as_ring { /* one direction of a link, at one moment */
	uint64_t head, tail;
	uint64_t published;       /* position after the last message confirmed by its cells */
	uint64_t waiting;         /* messages between tail and published */
	uint32_t capacity;        /* cells */
	struct as_message oldest, newest;
	char damage[AS_RING_TEXT]; /* "": none */
	struct hub_ring words;    /* private copy; no cells, so it stands last */
};

struct as_owner { /* slots of a class in the same hands */
	uint16_t peer, incarnation;
	uint8_t direction, state;
	uint32_t n;
	uint32_t oldest_ms;       /* of the one whose last transition is longest ago */
};

struct as_class {
	struct hub_class words;   /* private copy */
	uint32_t slots;           /* published, as far as the file has words for them */
	uint32_t count[HUB_SLOT_STATES];
	uint32_t bad;             /* words that make no sense */
	uint32_t first_bad;       /* index of the first of them, what stands there, and where */
	uint64_t first_bad_word, first_bad_at;
	struct as_owner owner[AS_RING_OWNERS];
	unsigned owners;
	uint32_t owners_left_out; /* slots of owners there was no room for */
	uint16_t owner_at[2 * AS_RING_OWNERS]; /* a hash table: 1 + place in owner[], 0 none */
	char damage[AS_RING_TEXT]; /* its own words contradict themselves; "": they do not */
};

/* Walks over a table in batches. */
struct as_ring_walk {
	const struct as_hub *hub;
	union as_ring_space *space;
	const struct hub_section *section;
	uint64_t first, end;      /* elements */
	uint64_t next;            /* the next element to return */
	uint64_t batch;           /* first element in space */
	unsigned batched;
};

/*
 * as_hub_open - read and check the first page.
 * fd  of the hub file; stays the caller's and must outlive hub.
 * Returns 0 (also with hub->damage set: what can be read, is read); -EBADMSG when it is not a
 * hub; -ERANGE when its limits cannot be; -EPROTO for a version that this build does not read;
 * or what pread() says.
 */
int as_hub_open(struct as_hub *hub, int fd);

/* as_hub_section - the section of that kind and index, NULL when there is none. */
const struct hub_section *as_hub_section(const struct as_hub *hub, unsigned kind, unsigned index);

/* as_hub_host / as_hub_peer - copy the host's mirror, or entry `id` of the peers.
 * Return 0; -ENOENT when the file has no such entry; what pread() says. */
int as_hub_host(const struct as_hub *hub, struct hub_host *host);
int as_hub_peer(const struct as_hub *hub, unsigned id, struct hub_peer *peer);

/* as_hub_peers - entries of the peer table (entry 0 is the host). */
unsigned as_hub_peers(const struct as_hub *hub);

/* as_hub_ms_us - a hub's millisecond stamp as CLOCK_MONOTONIC microseconds. `near_us` is a
 * moment less than 24 days away from it (now, say): stamps wrap after 49 days. */
uint64_t as_hub_ms_us(const struct as_hub *hub, uint32_t ms, uint64_t near_us);

/*
 * as_ring_read - one ring.
 * dir   HUB_RECV or HUB_SEND, from the peer's side.
 * Returns 0, also with ring->damage set; -ENOENT when the file has no such ring; what pread()
 * says.
 */
int as_ring_read(const struct as_hub *hub, unsigned peer, unsigned dir,
		 union as_ring_space *space, struct as_ring *ring);

/*
 * as_ring_words - only the words of a ring, tail read before head: two small reads.
 * Returns as as_ring_read().
 */
int as_ring_words(const struct as_hub *hub, unsigned peer, unsigned dir, struct hub_ring *words);

/*
 * as_ring_find - the first message that waits in a ring and belongs to slot reference `slot`,
 * or (slot HUB_NO_SLOT) to call `call`.
 * Returns 1 with *found set; 0 when none does; negative as as_ring_read().
 */
int as_ring_find(const struct as_hub *hub, unsigned peer, unsigned dir,
		 union as_ring_space *space, uint32_t slot, uint32_t call,
		 struct as_message *found);

/*
 * as_ring_history - messages that still stand in a ring's cells, taken ones too: the last words
 * that went through it. They are `last` at most, the newest, oldest first.
 *
 * ring  as as_ring_read() left it: where its messages end.
 * Returns how many there are in `out`; negative as as_ring_read().
 */
int as_ring_history(const struct as_hub *hub, unsigned peer, unsigned dir,
		    union as_ring_space *space, const struct as_ring *ring, struct as_message *out,
		    unsigned last);

/* as_method_read - row `i` of the latency histograms. Returns as as_hub_peer(). */
int as_method_read(const struct as_hub *hub, unsigned i, struct hub_method *method);

/* as_class_read - a class and the sums over its slots. Returns as as_ring_read(). */
int as_class_read(const struct as_hub *hub, unsigned index, union as_ring_space *space,
		  struct as_class *klass);

/* as_slots_begin / as_slots_next - the published slots of a class, one by one. next: 1 with
 * *slot and *index set; 0 at the end; negative errno. The slot is valid until the next call. */
int as_slots_begin(struct as_ring_walk *walk, const struct as_hub *hub, unsigned klass,
		   union as_ring_space *space);
int as_slots_next(struct as_ring_walk *walk, const struct hub_slot **slot, uint32_t *index);

/* as_calls_begin / as_calls_next - the entries in use of the host's call table (`by` 0) or of a
 * peer's. As as_slots_next(). */
int as_calls_begin(struct as_ring_walk *walk, const struct as_hub *hub, unsigned by,
		   union as_ring_space *space);
int as_calls_next(struct as_ring_walk *walk, const struct hub_call **call);

/* as_call_is_telling - it says something by itself, however young it is beside others: never
 * enqueued, enqueued to another peer, or made inside the handler of another call. */
bool as_call_is_telling(const struct hub_call *call, unsigned by);

/* as_slot_is_sane - does this word name a possible state, peer and direction? */
bool as_slot_is_sane(const struct as_hub *hub, uint64_t word);

#endif
