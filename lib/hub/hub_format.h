/*
 * hub_format - the file format of a hub. Structs, constants, layout asserts and the ordering
 * ledger; no functions. Read this first, then hub_ring.c, then a tool.
 *
 * A hub is one sparse file shared by one host and up to 1024 peers:
 *
 *	page 0    struct hub_header        identity, limits, section table; constant once published
 *	HOST      struct hub_host          what the host mirrors for readers
 *	PEERS     struct hub_peer [n + 1]  entry 0 is the host itself, entry i is peer i
 *	RINGS     struct hub_ring [2n + 2] ring 2i + HUB_RECV and 2i + HUB_SEND of peer i
 *	CALLS     struct hub_call []       pending calls made by the host
 *	PEERCALLS struct hub_call []       pending calls made by peers, HUB_PEER_CALLS each
 *	METHODS   struct hub_method []     latency histograms
 *	CLASSES   struct hub_class []      one per slot size
 *	SLOTS     struct hub_slot []       one section per class (index = class)
 *	BACKED    uint64_t []              one section per class: which payload has pages behind it
 *	PAYLOAD   bytes                    one section per class
 *
 * Rules for readers
 *	- Offsets, strides and counts come from the section table of the file at hand, never from
 *	  compile-time sizes; each is checked against the file's size. A stride larger than the
 *	  struct known here means a newer writer added fields at the end: ignore them. A smaller
 *	  stride means an older writer: the missing fields read as zero.
 *	- A reader that meets an unknown section kind skips it. Fields are only ever added, at the
 *	  end or in reserved space (which writers keep zero). What cannot be told that way raises
 *	  HUB_FORMAT_VERSION, and an old reader refuses with both numbers.
 *	- Tools read with pread() into private memory: reading a hole through a mapping allocates
 *	  it, and a truncated file turns a mapped load into SIGBUS.
 *	- Nothing here is trusted: a peer with wild code may have written anything anywhere. The
 *	  host decides from private copies; what stands in the file is a mirror for readers.
 *
 * Ring names are seen from the peer: HUB_RECV is written by the host and read by the peer,
 * HUB_SEND the other way round.
 *
 * Times: "_ns" is CLOCK_MONOTONIC; "_ms" is milliseconds of CLOCK_MONOTONIC since the hub was
 * created (header->created_ns), modulo 2^32, taken from a coarse clock.
 *
 * Ordering.
 *   label  word             released by            acquired by             so that
 *   H1     cell->word       hub_ring publish       hub_ring next           a message is whole:
 *                           (first cell last)                              payload, header, cells
 *   H2     ring->tail       hub_ring take          hub_ring claim          a cell is written again
 *                                                                          only after it was copied
 *   H3     ring->handled    hub_ring handled       hub_ring credit         another notification
 *                                                                          is sent only then
 *   B1     peer->*_asleep,  seq_cst on both sides: the sleeper announces, then looks at the
 *          class->waiters   cells (or the tail, or slot words); the other side publishes, then
 *                           exchanges the announcement. Store, then load, on both sides: only a
 *                           single total order forbids that each misses the other.
 *   B2     peer->peer_wants a peer that begins to  host, told by its      answers that nobody reads
 *                           wait for a slot        bell                   give up their slots
 *   S1     slot->word       hub_slot claim, send,  hub_slot take, claim    payload bytes belong to
 *                           free, sweep                                    the named holder alone
 *   K1     backed word      hub_slot after         hub_slot claim          no byte is stored to
 *                           fallocate                                      before its pages exist
 *   G1     class->slots     hub_slot grow          hub_slot claim          a new slot's word and
 *                                                                          backed bit are there
 *   P1     peer->state      hub_life register      attach, readers         the entry is complete
 * At once, on one ring: one producer, one consumer (private locks see to that), any number of
 * readers. A producer that dies before H1 has sent nothing; after H1, a whole message.
 * Readers load tail before head, and confirm by the cells. A tail ahead of head by one message
 * is a legal moment: cells are published before head is stored.
 */
#ifndef SHMSCOPE_HUB_FORMAT_H
#define SHMSCOPE_HUB_FORMAT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define HUB_MAGIC          "\x89SHMHUB\n" /* 8 bytes, no NUL: not text, cut or translated shows */
#define HUB_FORMAT_VERSION 1
#define HUB_FORMAT_OLDEST  1 /* the oldest version this build reads */
#define HUB_BYTE_ORDER     UINT32_C(0x01020304)

enum {
	HUB_PAGE = 4096,
	HUB_LINE = 64,
	HUB_SECTIONS = 64,
	HUB_PEERS_MAX = 1024,
	HUB_PEERS_DEFAULT = 32,
	HUB_RING_CELLS_MIN = 16,
	HUB_RING_CELLS_MAX = 65536,
	HUB_RING_CELLS_DEFAULT = 256,
	HUB_RING_RESERVED = 8, /* last cells of a ring: replies, credits and cancels only */
	HUB_MSG_CELLS = 4,     /* a message is 1 to 4 cells */
	HUB_CLASSES_MAX = 16,
	HUB_CALLS_DEFAULT = 8192,
	HUB_CALLS_MAX = 32768, /* an id has 16 bits for index + 1 */
	HUB_PEER_CALLS = 64, /* pending calls of one peer */
	HUB_METHODS = 64,
	HUB_NAME = 48,
	HUB_CHUNK = 65536, /* small slots are backed in chunks of this many bytes */
	HUB_UNIT_MAX = 1048576, /* large slots are backed in parts of this many bytes, as needed */
	HUB_NOTIFY_WINDOW = 1024, /* notifications a sender may be ahead of the handlers */
	HUB_BODY_WINDOW = 8,   /* frames of a body a sender may be ahead of its reader */
	HUB_LATENCY_BUCKETS = 48,
};

enum hub_section_kind {
	HUB_SECTION_NONE = 0,
	HUB_SECTION_HOST,
	HUB_SECTION_PEERS,
	HUB_SECTION_RINGS,
	HUB_SECTION_CALLS,
	HUB_SECTION_PEERCALLS,
	HUB_SECTION_METHODS,
	HUB_SECTION_CLASSES,
	HUB_SECTION_SLOTS,
	HUB_SECTION_BACKED,
	HUB_SECTION_PAYLOAD,
};
#define HUB_SECTION_NAMES                                                                  \
	{ "NONE", "HOST", "PEERS", "RINGS", "CALLS", "PEERCALLS", "METHODS", "CLASSES", "SLOTS", \
	  "BACKED", "PAYLOAD" }

/* Where a table lies. offset + stride * count never exceeds the file's size. */
struct hub_section {
	uint32_t kind;   /* enum hub_section_kind */
	uint32_t index;  /* class for SLOTS, BACKED, PAYLOAD; else 0 */
	uint64_t offset; /* bytes from the start of the file; page aligned */
	uint64_t stride; /* bytes from one element to the next */
	uint64_t count;  /* elements there is room for */
};
_Static_assert(sizeof(struct hub_section) == 32, "section is part of the file format");

/* Page 0. Written once, before the file gets its name; then constant. */
struct hub_header {
	char magic[8];
	uint32_t byte_order;
	uint32_t version;
	uint32_t header_bytes;  /* sizeof(struct hub_header) of the writer */
	uint32_t page_bytes;
	char writer[32];        /* version of the library that wrote it, NUL padded */
	uint8_t boot_id[16];    /* of the machine; a hub of another boot is stale */
	int32_t host_pid;       /* in the host's pid namespace */
	uint32_t pid_ns;        /* inode of that namespace */
	uint64_t host_start;    /* field 22 of /proc/PID/stat, clock ticks since boot */
	uint64_t created_ns;    /* CLOCK_MONOTONIC */
	uint64_t created_real_ns; /* CLOCK_REALTIME at the same moment */
	uint64_t file_bytes;    /* size of the (sparse) file: the hub's limit */
	uint32_t peers_max;     /* PEERS has one entry more */
	uint32_t ring_cells;    /* power of two */
	uint32_t classes;
	uint32_t calls_max;
	uint32_t section_count;
	uint32_t uid;
	uint64_t id;            /* random, one per hub */
	uint32_t notify_window; /* HUB_NOTIFY_WINDOW of the writer */
	uint32_t body_window;   /* HUB_BODY_WINDOW of the writer */
	uint8_t reserved[336];
	uint32_t crc;           /* CRC-32 (IEEE) of the header and table with this field 0 */
	uint32_t reserved2;
	struct hub_section section[HUB_SECTIONS];
};
_Static_assert(offsetof(struct hub_header, boot_id) == 56, "header is part of the file format");
_Static_assert(offsetof(struct hub_header, id) == 136, "header is part of the file format");
_Static_assert(offsetof(struct hub_header, crc) == 488, "header is part of the file format");
_Static_assert(offsetof(struct hub_header, section) == 496, "header is part of the file format");
_Static_assert(sizeof(struct hub_header) <= HUB_PAGE, "the header is one page");

/* What the host mirrors about itself. Writer: the host. */
struct hub_host {
	_Atomic uint64_t last_alive_ns;      /* CLOCK_MONOTONIC, once a second while anything is pending */
	_Atomic uint64_t last_alive_real_ns; /* CLOCK_REALTIME */
	_Atomic uint32_t stopping;           /* 1: orderly shutdown has begun */
	_Atomic uint32_t calls_pending;      /* entries of CALLS in use */
	_Atomic uint64_t calls_waited;       /* callers that had to wait for a call entry */
	_Atomic uint64_t calls_refused;      /* -EAGAIN at the limit */
	_Atomic uint64_t no_space;           /* fallocate said ENOSPC or EFBIG */
	_Atomic uint64_t no_space_ns;        /* when last */
	_Atomic uint64_t peers_died;
	_Atomic uint64_t slots_swept;        /* taken back from dead peers */
	_Atomic uint64_t punched_bytes;      /* given back to the filesystem so far */
	_Atomic uint64_t quarantined;        /* rings closed because they held nonsense */
	_Atomic uint32_t spin_ns;            /* how long an end may spin before it sleeps; 0 not at all */
	_Atomic uint32_t tick;               /* 1: last_alive is being stamped, something is pending */
	_Atomic uint64_t late_replies;       /* answers to calls that were over */
	_Atomic uint64_t slot_rescues;       /* slot waiters woken by the tick, not by a bell */
	_Atomic uint64_t calls_made;
	_Atomic uint64_t answers_spilled;    /* copied out of their slots unread, for who waited for one */
	_Atomic uint32_t is_crowded;         /* 1: more processes than processors: rather yield than spin */
	uint8_t reserved[124];
};
_Static_assert(sizeof(struct hub_host) == 256, "host is part of the file format");

enum hub_peer_state {
	HUB_PEER_UNUSED = 0,
	HUB_PEER_STARTING,    /* entry filled, process spawned, not attached yet */
	HUB_PEER_LIVE,        /* attached */
	HUB_PEER_LEAVING,     /* orderly shutdown asked for */
	HUB_PEER_DEAD,        /* ended, not yet (or never: see slots) taken back */
	HUB_PEER_GONE,        /* ended and everything taken back */
	HUB_PEER_QUARANTINED, /* wrote nonsense; killed */
};

/* Bits of an announcement word: what this end sleeps for. 0: awake, nobody needs to ring. */
enum {
	HUB_ASLEEP_MESSAGE = 1, /* whatever comes */
	HUB_ASLEEP_SPACE = 2,   /* room in the ring this end writes */
	HUB_ASLEEP_SLOT = 4,    /* a free slot of any class */
	HUB_ASLEEP_LOUD = 8,    /* messages, but for quiet answers (HUB_FLAG_QUIET); the host only */
	HUB_ASLEEP_ALL = 15,
	HUB_ASLEEP_IN_LOOP = HUB_ASLEEP_MESSAGE | HUB_ASLEEP_LOUD, /* shown as the waiting flag */
};

/*
 * The beat: what the main loop of this end does, as a state and since when, so that an idle
 * peer costs nothing. bits 0..39 time (ms since creation, 40 bits), 40..55 method,
 * 56..63 enum hub_beat_state.
 */
enum hub_beat_state { HUB_BEAT_NONE = 0, HUB_BEAT_ASLEEP, HUB_BEAT_HANDLER, HUB_BEAT_RUNNING };
#define HUB_BEAT(state, method, ms)                                          \
	((uint64_t)(state) << 56 | (uint64_t)((method)&0xffff) << 40 | \
	 ((uint64_t)(ms)&UINT64_C(0xffffffffff)))
#define HUB_BEAT_STATE(beat)  ((unsigned)((uint64_t)(beat) >> 56))
#define HUB_BEAT_METHOD(beat) ((unsigned)((uint64_t)(beat) >> 40) & 0xffff)
#define HUB_BEAT_MS(beat)     ((uint64_t)(beat)&UINT64_C(0xffffffffff))

/* One peer (entry 0: the host). Words with different writers are on different lines. */
struct hub_peer {
	/* lines 0..2, writer: the host, at registration and at death */
	_Atomic uint32_t state;       /* P1: enum hub_peer_state */
	uint16_t id;
	uint16_t incarnation;         /* +1 per start; 9 bits of it stand in slot words */
	int32_t pid;
	int32_t exit_status;          /* as waitpid() gives it, valid once dead; -1 unknown */
	uint64_t start;               /* field 22 of /proc/PID/stat */
	uint64_t started_ns;          /* spawned */
	uint64_t died_ns;             /* noticed dead; 0 while alive */
	uint64_t died_real_ns;
	uint64_t host_bell_inode;     /* socket inode of the host's end of the doorbell */
	uint64_t peer_bell_inode;     /* of the peer's end */
	int32_t host_bell_fd;         /* its number in the host */
	int32_t peer_bell_fd;         /* its number in the peer (or -1 until attached) */
	char name[HUB_NAME];          /* UTF-8, NUL padded */
	uint32_t restarts;
	uint32_t reserved0;
	_Atomic uint64_t slots_limit_hits; /* claims refused because of this peer's share */
	uint8_t reserved1[56];
	/* line 3, writer: the peer */
	_Atomic uint64_t beat;
	_Atomic uint32_t loop_tid;    /* thread that runs the loop */
	uint32_t reserved2;
	_Atomic uint64_t handled;     /* handlers run to their end */
	_Atomic uint64_t alloc_failed; /* slot claims that found nothing */
	_Atomic uint64_t no_space;    /* ENOSPC while backing a slot */
	_Atomic uint64_t too_large;   /* payloads refused: larger than the largest class */
	_Atomic uint64_t too_large_bytes; /* the last of them */
	uint8_t reserved3[8];
	/* line 4, announcement of the peer: set by the peer, exchanged for 0 by the host; B1 */
	_Atomic uint32_t peer_asleep;
	_Atomic uint32_t peer_asleep_ms; /* since when */
	_Atomic uint32_t peer_wants;     /* B2: classes (bit n: class n) it waits for a slot of */
	uint8_t reserved4[52];
	/* line 5, announcement of the host's end of this link: the other way round; B1 */
	_Atomic uint32_t host_asleep;
	_Atomic uint32_t host_asleep_ms;
	_Atomic uint32_t host_asleep_tid; /* who sleeps: event thread or the caller with the role */
	uint8_t reserved5[52];
	/* line 6, writer: the host: its handler for messages of this peer */
	_Atomic uint64_t host_beat;
	_Atomic uint64_t host_alloc_failed; /* slot claims for this peer that found nothing */
	_Atomic uint32_t slots_held;        /* sent to this peer and not known to be free again */
	_Atomic uint32_t calls_pending;     /* host calls to this peer without an answer */
	_Atomic uint32_t host_handler_tid;  /* the thread that host_beat tells of; 0 none */
	uint32_t reserved6;
	_Atomic uint64_t host_too_large;    /* as too_large, of the host's for this peer */
	_Atomic uint64_t host_too_large_bytes;
	uint8_t reserved8[16];
	uint8_t reserved7[64];
};
_Static_assert(offsetof(struct hub_peer, name) == 72, "peer is part of the file format");
_Static_assert(offsetof(struct hub_peer, beat) == 192, "peer is part of the file format");
_Static_assert(offsetof(struct hub_peer, peer_asleep) == 256, "one writer per line");
_Static_assert(offsetof(struct hub_peer, host_asleep) == 320, "one writer per line");
_Static_assert(offsetof(struct hub_peer, host_beat) == 384, "one writer per line");
_Static_assert(sizeof(struct hub_peer) == 512, "peer is part of the file format");

enum { HUB_RECV = 0, HUB_SEND = 1 }; /* from the peer's side */

enum hub_kind {
	HUB_KIND_NONE = 0,
	HUB_KIND_CALL,   /* wants a reply; aux: deadline in ms from publication, 0 none */
	HUB_KIND_REPLY,  /* aux: status, 0 or negative errno */
	HUB_KIND_NOTIFY, /* one way */
	HUB_KIND_CANCEL, /* the caller no longer wants the answer */
	HUB_KIND_BODY,   /* a further frame; method: its number, from 1; aux: status, of an answer's */
	HUB_KIND_CREDIT, /* aux: frames that may follow */
	HUB_KIND_LEAVE,  /* orderly shutdown */
};

/*
 * Both ends make calls, each with ids of its own table. A CALL, CANCEL, and the BODY frames and
 * CREDITs of a request carry an id of the end that made the call; HUB_FLAG_ANSWER marks the
 * frames that are about the answer to it: REPLY, the BODY frames after a REPLY, and the CREDIT
 * for those. So {direction, HUB_FLAG_ANSWER} tells whose table an id belongs to.
 */
enum {
	HUB_FLAG_MORE = 1,   /* further frames of this body follow */
	HUB_FLAG_ANSWER = 2, /* about the answer: travels against, or pays for, the call's way back */
	HUB_FLAG_QUIET = 4,  /* a call whose caller comes for the answer by itself, and that answer */
};

/*
 * The word of a cell: bits 0..2 cells of the message (1..4; in a continuation cell its place,
 * 1..3), bit 3 first cell, bits 8..63 position of this cell in the ring's endless sequence.
 * Positions never go back, also not across incarnations, so a word of an earlier lap is never
 * taken for a new one. An all-zero cell is no message: cells is 0.
 */
#define HUB_WORD(position, first, cells) \
	(((uint64_t)(position) << 8) | ((uint64_t)!!(first) << 3) | (uint64_t)(cells))
#define HUB_WORD_POSITION(word) ((uint64_t)(word) >> 8)
#define HUB_WORD_FIRST(word)    (((uint64_t)(word) >> 3) & 1)
#define HUB_WORD_CELLS(word)    ((unsigned)((uint64_t)(word)&7))

#define HUB_NO_SLOT             UINT32_MAX
#define HUB_SLOT_REF(klass, i)  (((uint32_t)(klass) << 24) | (uint32_t)(i))
#define HUB_SLOT_REF_CLASS(ref) ((uint32_t)(ref) >> 24)
#define HUB_SLOT_REF_INDEX(ref) ((uint32_t)(ref)&0xffffff)

enum { HUB_INLINE_FIRST = 24, HUB_INLINE_MORE = 56 };
enum { HUB_INLINE_MAX = HUB_INLINE_FIRST + (HUB_MSG_CELLS - 1) * HUB_INLINE_MORE };

/* A cell. The first of a message is its descriptor; the others are word and payload only. */
struct hub_cell {
	_Atomic uint64_t word; /* H1 */
	union {
		struct {
			uint32_t time_ms;  /* at publication */
			uint32_t call;     /* id of the call this frame belongs to; 0: none */
			uint8_t kind;      /* enum hub_kind */
			uint8_t flags;
			uint16_t method;
			uint32_t len;      /* payload bytes of this frame */
			uint32_t slot;     /* HUB_SLOT_REF, or HUB_NO_SLOT: payload is in the ring */
			uint32_t slot_gen; /* low 32 bits of that slot's generation */
			int32_t aux;       /* by kind */
			uint32_t peer;     /* bits 0..15 peer, 16..31 its incarnation */
			uint8_t payload[HUB_INLINE_FIRST];
		};
		uint8_t more[HUB_INLINE_MORE];
	};
};
_Static_assert(sizeof(struct hub_cell) == 64, "descriptor is part of the file format");
_Static_assert(offsetof(struct hub_cell, time_ms) == 8, "descriptor is part of the file format");
_Static_assert(offsetof(struct hub_cell, payload) == 40, "descriptor is part of the file format");

/* One direction of a link. `head` and `tail` count cells and never go back. */
struct hub_ring {
	/* line 0, writer: the producer */
	_Atomic uint64_t head;        /* published; mirrors the cells, which are the truth */
	_Atomic uint32_t sending;     /* tid between publication and bell, else 0 */
	_Atomic uint32_t bell_ms;     /* last bell rung */
	_Atomic uint64_t messages;
	_Atomic uint64_t bytes;       /* payload */
	_Atomic uint64_t bells;       /* rung */
	_Atomic uint64_t bell_head;   /* head when the bell was rung last */
	_Atomic uint64_t full_waits;  /* had to wait for space */
	_Atomic uint64_t full;        /* found no space */
	/* line 1, writer: the consumer */
	_Atomic uint64_t tail;        /* H2: taken, written before the handler runs */
	_Atomic uint64_t taken;       /* messages */
	_Atomic uint64_t taken_bytes;
	_Atomic uint64_t sleeps;      /* announced and then slept */
	_Atomic uint64_t rescues;     /* a safety net found work that no bell had told of */
	_Atomic uint32_t take_ms;     /* last message taken */
	_Atomic uint32_t reserved0;
	_Atomic uint64_t refused;     /* descriptors that were nonsense */
	_Atomic uint64_t handled;     /* H3: notifications that were handled, of all there were */
	/* the cells follow */
};
_Static_assert(offsetof(struct hub_ring, tail) == 64, "one writer per line");
_Static_assert(sizeof(struct hub_ring) == 128, "ring is part of the file format");
#define HUB_RING_CELLS(ring) ((struct hub_cell *)((ring) + 1))

/*
 * Slots. One 64-bit word is the only truth about a slot; every transition is one
 * compare-and-swap of it:
 *
 *	free -> allocated -> in flight -> held -> free        free -> punching -> free
 *
 * The named holder is whoever must give it back: allocated and in flight the sender, held the
 * receiver. So a process killed between any two instructions leaves a slot whose holder is
 * known. An all-zero word is a free slot that was never used.
 *
 *	bits 0..2 state, 3 direction, 4..14 peer, 15..23 incarnation, 24..63 generation
 *
 * One end is always the host: with HUB_TO_PEER the sender is the host, with HUB_TO_HOST the peer.
 * The generation grows by one at each claim.
 */
enum hub_slot_state {
	HUB_SLOT_FREE = 0,
	HUB_SLOT_ALLOCATED,
	HUB_SLOT_IN_FLIGHT,
	HUB_SLOT_HELD,
	HUB_SLOT_PUNCHING, /* the host gives its pages back */
	HUB_SLOT_STATES,
};
enum { HUB_TO_PEER = 0, HUB_TO_HOST = 1 };
#define HUB_SLOT_WORD(state, direction, peer, incarnation, generation)                         \
	((uint64_t)(state) | (uint64_t)(direction) << 3 | (uint64_t)((peer)&0x7ff) << 4 |      \
	 (uint64_t)((incarnation)&0x1ff) << 15 | (uint64_t)(generation) << 24)
#define HUB_SLOT_STATE(word)       ((unsigned)((uint64_t)(word)&7))
#define HUB_SLOT_DIRECTION(word)   ((unsigned)((uint64_t)(word) >> 3) & 1)
#define HUB_SLOT_PEER(word)        ((unsigned)((uint64_t)(word) >> 4) & 0x7ff)
#define HUB_SLOT_INCARNATION(word) ((unsigned)((uint64_t)(word) >> 15) & 0x1ff)
#define HUB_SLOT_GENERATION(word)  ((uint64_t)(word) >> 24)

/*
 * Backing. Payload pages exist only where a bit of the class's BACKED table is set: bit u stands
 * for payload bytes [u * unit, (u + 1) * unit). The unit is HUB_CHUNK where slots are smaller
 * than that (then several slots share a bit), else the slot size, at most HUB_UNIT_MAX (then a
 * slot has several bits, and only those that its payload reaches get set). A bit is set after
 * fallocate() by an end that owns a slot in it; only the host clears it, owning all of them
 * (HUB_SLOT_PUNCHING). Dying in between leaves pages without a bit, or a bit without harm: the
 * next claimer calls fallocate() again.
 */
struct hub_slot {
	_Atomic uint64_t word; /* S1 */
	/* the rest is for people, written by the holder, never decided upon */
	_Atomic uint32_t time_ms; /* last transition */
	_Atomic uint32_t bytes;   /* payload in it */
	_Atomic uint32_t call;
	_Atomic uint32_t method;
	uint8_t reserved[40];
};
_Static_assert(sizeof(struct hub_slot) == 64, "slot is part of the file format");

struct hub_class {
	/* line 0: changes rarely, so every end can look at `waiters` after each free */
	uint32_t bytes;            /* slot size, a power of two */
	uint32_t slots_first;      /* published at creation */
	uint32_t slots_max;        /* room in the file */
	_Atomic uint32_t slots;    /* G1: published so far */
	_Atomic uint32_t waiters;  /* B1: 1 while some end sleeps for a slot; cleared by the host */
	uint32_t backed_unit;      /* bytes behind one backed bit, see below */
	_Atomic uint64_t grown;    /* times the published count was raised */
	uint32_t slots_answers;    /* the first so many are for answers only */
	uint8_t reserved[28];
	/* line 1: counters, any end */
	_Atomic uint64_t claims;
	_Atomic uint64_t failed;   /* claims that found no free slot */
	_Atomic uint64_t no_space; /* ENOSPC or EFBIG when backing */
	_Atomic uint64_t punched;  /* slots whose pages went back */
	_Atomic uint32_t hint;     /* where a search for a free slot begins; only a hint */
	uint32_t reserved0;
	_Atomic uint64_t upward;   /* claims served here for the class below */
	uint8_t reserved1[16];
};
_Static_assert(sizeof(struct hub_class) == 128, "class is part of the file format");

/*
 * A pending call. id: bits 0..15 index in its table + 1, bits 16..31 generation, so an id is
 * never 0 and a late reply to an earlier call of the same entry is known for what it is.
 *
 * The word: bits 0..2 state, 4..14 the peer it is made to (host's table) or by (PEERCALLS),
 * 16..31 generation.
 */
enum hub_call_state {
	HUB_CALL_FREE = 0,
	HUB_CALL_PENDING,  /* counted; enqueued_at tells whether it was sent */
	HUB_CALL_ANSWERED, /* reply taken, the caller has not looked yet */
	HUB_CALL_FAILED,
	HUB_CALL_CANCELLED,
};
#define HUB_CALL_WORD(state, peer, generation) \
	((uint64_t)(state) | (uint64_t)((peer)&0x7ff) << 4 | (uint64_t)((generation)&0xffff) << 16)
#define HUB_CALL_STATE(word)      ((unsigned)((uint64_t)(word)&7))
#define HUB_CALL_PEER(word)       ((unsigned)((uint64_t)(word) >> 4) & 0x7ff)
#define HUB_CALL_GENERATION(word) ((unsigned)((uint64_t)(word) >> 16) & 0xffff)

struct hub_call {
	_Atomic uint64_t word; /* its generation is also in id: a torn look shows */
	uint32_t id;
	uint16_t method;
	uint16_t enqueued_peer;  /* whose ring the descriptor went to */
	uint64_t enqueued_at;    /* its position in that ring + 1; 0: never enqueued */
	uint64_t started_ns;
	uint32_t caller_tid;
	uint32_t deadline_ms;    /* from the start; 0: none */
	uint32_t bytes;          /* of the request */
	uint32_t frames;         /* of the answer, so far */
	uint32_t for_call;       /* made inside the handler of this call (of the other table); 0 none */
	uint16_t for_peer;       /* by the host's handler: whose call that is; by a peer: 0 */
	uint8_t reserved[10];
};
_Static_assert(offsetof(struct hub_call, for_call) == 48, "call is part of the file format");
_Static_assert(sizeof(struct hub_call) == 64, "call is part of the file format");

/*
 * Latency of one method, as seen by the end that made the call (the host, or any peer): bucket i
 * holds calls of 2^i to 2^(i+1) ns. Rows are made by the host, when it first calls a method and
 * when it offers one.
 */
struct hub_method {
	_Atomic uint32_t method;      /* 0: free, and so are those behind it */
	uint32_t reserved;
	char name[40];
	_Atomic uint64_t calls;
	_Atomic uint64_t failed;
	_Atomic uint64_t bucket[HUB_LATENCY_BUCKETS];
};
_Static_assert(sizeof(struct hub_method) == 448, "method is part of the file format");

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "a hub word must never hide a lock");
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "a hub word must never hide a lock");

#endif
