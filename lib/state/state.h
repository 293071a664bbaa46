/*
 * state - the model: what was seen of processes, threads, stacks and hubs at one moment.
 *
 * Sources fill it (a live look, a feed, a hub file, a core) and say what they could not see;
 * the judge reads it (lib/findings); views draw it and compute nothing. A state is complete in
 * itself and owns its memory: two of them never share.
 *
 * Conventions
 *	- Times are microseconds of the machine's CLOCK_MONOTONIC ("_us"), 0 when not known;
 *	  state->real_offset_us turns them into CLOCK_REALTIME.
 *	- Not known is -1 for signed numbers, STATE_UNKNOWN for answers, NULL for texts. Never 0.
 *	- Rings are named from the peer's side. written, read, waiting count messages;
 *	  head, tail, published count cells (descriptors).
 *	- Absent is not the same as fine: a state holds what was looked at in its moment. What was
 *	  not looked at is absent, or, so that views can draw all that is known together, stands
 *	  there as it was last seen with `carried` set. Neither is evidence for or against
 *	  anything: rules pass over what is carried, and a finding is cleared only by a look at
 *	  its place.
 */
#ifndef SHMSCOPE_STATE_H
#define SHMSCOPE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/hub/hub_format.h"

enum state_answer { STATE_UNKNOWN = -1, STATE_NO = 0, STATE_YES = 1 };

/* Where a fact came from; also what a finding may rest on. */
enum state_source { STATE_LIVE = 1, STATE_FEED = 2, STATE_HUB_FILE = 4, STATE_CORE = 8 };

struct state_input { /* a file or a target that was read */
	const char *path;
	const char *type;      /* "hub", "feed", "core", "series", "live" */
	bool complete;         /* false: partial, see note */
	const char *note;      /* what was cut off or skipped; NULL */
	uint64_t from_us, to_us;
};

struct state_message { /* a descriptor as seen in a ring */
	bool is_there;
	uint64_t time_us;      /* publication */
	uint64_t position;     /* of its first cell */
	uint32_t call, len, slot;
	uint8_t kind, flags;   /* enum hub_kind; HUB_FLAG_* */
	uint16_t method;
	int32_t aux;           /* by kind, see hub_format.h */
};

struct state_ring {
	uint64_t head, tail, published;
	uint64_t written, read, waiting; /* messages */
	uint32_t capacity;               /* cells */
	uint32_t sending_tid;            /* producer is between publication and bell */
	int64_t bell;                    /* bytes unread at the consumer's end; -1 not known */
	uint64_t bells, bell_head, bell_us;
	uint64_t bytes, sleeps, full, full_waits, rescues, refused;
	uint64_t take_us;
	struct state_message oldest, newest; /* waiting */
	struct state_message *recent;    /* the last that went through it, oldest first; only where */
	size_t recents;                  /* the source was asked for them */
	const char *damage;              /* NULL, or what is wrong: then do not believe the rest */
};

struct state_beat {
	uint8_t state;  /* enum hub_beat_state */
	uint16_t method;
	uint64_t since_us;
};

struct state_peer {
	uint16_t id;             /* 0: the host itself */
	const char *name;
	int32_t pid;
	uint64_t start;          /* clock ticks since boot */
	uint32_t state;          /* enum hub_peer_state */
	enum state_answer alive; /* asked of the system, not of the file */
	enum state_answer stopped; /* SIGSTOP, or traced */
	uint32_t incarnation, restarts;
	int32_t exit_status;     /* as waitpid(); -1 not known */
	uint64_t started_us, died_us;
	struct state_beat beat;       /* the peer's loop */
	struct state_beat host_beat;  /* the host's handler for this peer */
	uint32_t loop_tid, host_tid;
	uint32_t host_handler_tid;    /* the host's thread that host_beat tells of; 0 none */
	uint32_t flag, host_flag;     /* HUB_ASLEEP_* bits: waiting flags of both ends */
	uint64_t flag_us, host_flag_us;
	uint32_t calls_pending;       /* host's calls to it */
	uint32_t slots_held;
	uint64_t alloc_failed, host_alloc_failed, handled;
	uint64_t too_large, too_large_bytes; /* payloads refused: larger than any slot; the last */
	uint64_t host_too_large, host_too_large_bytes; /* the host's for it */
	struct state_ring ring[2];    /* HUB_RECV, HUB_SEND */
	int process;                  /* index into state->process, -1: not seen */
	uint64_t seen_us;             /* when it was read; 0: with its hub (state_join() sets it) */
	bool carried;                 /* not looked at in this moment: as last seen */
};

struct state_owner { /* slots of a class in the same hands */
	uint16_t peer, incarnation;
	uint8_t direction, slot_state;
	uint32_t n;
	uint64_t oldest_us;
};

struct state_class {
	uint32_t index, bytes;   /* slot size */
	uint32_t slots, slots_max;
	uint32_t answers;        /* so many of them are for answers only */
	uint32_t count[HUB_SLOT_STATES];
	uint32_t bad;            /* words that make no sense */
	uint32_t first_bad;      /* the first of them, */
	uint64_t first_bad_word, first_bad_at; /* what stands there, at which offset of the file */
	const char *damage;      /* NULL, or what contradicts itself: not to be judged further */
	uint32_t waiters;
	uint64_t claims, failed, no_space;
	struct state_owner *owner;
	size_t owners;
	uint32_t owners_left_out; /* slots in more hands than are told apart */
};

struct state_slot {
	uint32_t klass, index;
	uint8_t slot_state, direction;
	uint16_t peer, incarnation;
	uint64_t generation, time_us;
	uint32_t bytes, call, method;
};

struct state_method { /* how long calls of it took */
	uint16_t method;
	const char *name;        /* NULL: none given */
	uint64_t calls, failed;
	uint64_t bucket[HUB_LATENCY_BUCKETS]; /* calls that took 2^i to 2^(i+1) ns */
};

struct state_call {
	uint16_t by;             /* 0: the host's call; else the peer whose call it is */
	uint32_t id;
	uint8_t call_state;      /* enum hub_call_state */
	uint16_t peer, method;   /* by 0: the peer it is made to */
	uint16_t enqueued_peer;
	uint64_t enqueued_at;    /* position + 1; 0 never */
	uint64_t started_us;
	uint32_t tid, deadline_ms, bytes;
	uint32_t for_call;       /* made inside the handler of this call; 0: none, not known */
	uint16_t for_peer;       /* made by the host: whose call that is */
};

struct state_hub {
	const char *path;
	uint64_t id;             /* random, one per hub */
	enum state_source source;
	uint64_t seen_us;        /* when it was read; of several looks the last */
	uint64_t tables_us;      /* when classes, slots, calls were; 0: with it (as above) */
	uint32_t file_version;
	const char *writer;
	uint64_t created_us, file_bytes, last_alive_us;
	int32_t host_pid;
	uint64_t host_start;
	enum state_answer host_alive;
	uint32_t ring_cells, calls_max, calls_pending;
	uint64_t calls_waited, calls_refused;
	uint64_t no_space, no_space_us; /* times its filesystem had no room, and when last */
	bool stopping;
	const char *damage;      /* NULL, or what is wrong with its header or its tables; what
				    stands here was read all the same, with care */
	bool carried;            /* classes, slots, calls and the host's words are as last seen;
				    each peer says it for itself */
	struct state_peer *peer; /* in order of id; entry 0 need not be the host */
	size_t peers, peers_room;
	struct state_class *klass;
	size_t classes, classes_room;
	struct state_slot *slot; /* not free for more than a second; the oldest of each class */
	size_t slots, slots_room;
	bool slots_listed;       /* false: this source lists no single slots */
	struct state_call *call;
	size_t calls, calls_room;
	struct state_method *method; /* called so far; only from a hub file */
	size_t methods, methods_room;
	struct state_slot *every;    /* all slots that are not free, where the source was asked */
	size_t everys, everys_room;
	uint32_t every_left_out;     /* beyond what is listed */
	bool has_recent, has_every;  /* it was asked */
};

struct state_frame {
	const char *function;    /* demangled; NULL: not known */
	const char *file;        /* base name; NULL */
	int line;                /* 0: not known */
	const char *module;      /* base name of the object; NULL: none */
	const char *path;        /* of the object, as its process named it; NULL */
	uint64_t offset;         /* in the object (or the pc where module is NULL) */
	const char *build_id;
	bool inlined, guessed;
	bool exact;              /* the pc itself, not the address after a call */
};

struct state_stack {
	struct state_frame *frame; /* innermost first; names come from state_symbolize(), symbolize.h */
	size_t frames;
	const char *end;           /* why it ends; NULL: at the bottom */
	bool named;                /* state_symbolize() was here */
	uint64_t hash;             /* equal stacks have equal hashes */
	unsigned count;            /* threads that have it */
};

enum state_wait_kind {
	STATE_WAIT_NONE = 0, /* runs, or not known */
	STATE_WAIT_POLL,     /* epoll, poll, select: an event loop */
	STATE_WAIT_FUTEX,
	STATE_WAIT_READ,
	STATE_WAIT_WRITE,
	STATE_WAIT_LOCK,     /* flock, fcntl */
	STATE_WAIT_CONNECT,
	STATE_WAIT_SLEEP,
	STATE_WAIT_CHILD,
	STATE_WAIT_OTHER,
};

enum state_lock_kind { /* what the functions on a sleeper's stack say it waits for */
	STATE_LOCK_FUTEX = 0, /* a word that they do not explain */
	STATE_LOCK_MUTEX,
	STATE_LOCK_READ,      /* a rwlock, to read */
	STATE_LOCK_WRITE,
	STATE_LOCK_JOIN,      /* the end of a thread */
	STATE_LOCK_COND,
	STATE_LOCK_SEM,
	STATE_LOCK_BARRIER,
	STATE_LOCK_ONCE,
	STATE_LOCK_LOW,       /* of the C library's own: an arena, a stream; no owner is noted */
	STATE_LOCK_FILE,      /* flock, fcntl: a process owns it */
};

struct state_holder { /* a thread whose number stands where locks keep their owner */
	int32_t tid, pid; /* pid 0: not known */
	char state;       /* letter of /proc; X: there is no such thread; ? not known */
	const char *name;
};

struct state_memory { /* a copy of memory around a word */
	const uint8_t *bytes;
	uint64_t addr;
	size_t n;
};

/*
 * What a thread sleeps on. Where a source looked twice, value and memory of both looks are
 * there, and the thread is known to have slept from from_us to to_us.
 */
struct state_lock {
	enum state_lock_kind kind;
	bool sure;               /* kind and owner rest on names or the kernel's own rules, not on
				    what the bytes look like */
	uint64_t addr;           /* of the lock; of the word where its layout is not known */
	const char *name;        /* of the variable ("index_lock"), of the locked file; NULL */
	uint64_t word;           /* what it sleeps on; 0: no futex */
	uint32_t expected, value[2];
	unsigned looks;          /* 1, 2: how often it was found there */
	bool is_private;         /* to its process */
	bool is_timed;
	bool moved;              /* looked at again, and it had run in between */
	uint64_t from_us, to_us; /* it has slept there in between without running */
	int32_t owner_tid;       /* 0: nobody, or not known */
	int32_t owner_pid;       /* 0: not known */
	const char *owner_name;  /* of the thread; NULL */
	uint32_t readers;        /* of a rwlock that so many have locked to read: who is not noted */
	enum state_answer owner_alive;
	bool owner_died;         /* the kernel has marked the word: its owner ended holding it */
	const char *path, *build_id; /* of the module that the variable lies in; NULL */
	uint64_t offset;             /* of the word in there */
	struct state_memory around[2];
	const struct state_holder *holder;
	size_t holders;
};

struct state_cpu { /* what a thread has got of the CPUs since it began */
	uint64_t at_us;          /* when that was read; 0: not known */
	uint64_t ran_us;
	uint64_t queued_us;      /* it could have run and got none; a wait that is not over is not
				    counted yet */
};

struct state_party { /* a process that has a file open */
	int32_t pid;
	int32_t fd;          /* its number there; -1 not known */
	const char *name;    /* NULL */
};

/* An open file that a thread waits on, alone or with others, and who has its other end. */
struct state_end {
	int32_t fd;
	bool reads, writes;      /* what it waits to be able to do */
	const char *kind;        /* "pipe", "socket", "eventfd", ...; NULL */
	const char *is;          /* "socket:[1234]", a path; NULL */
	const char *where;       /* "tcp 10.0.0.5:443"; NULL */
	const char *other;       /* what the other end is to who has it: "socket:[1235]"; NULL: there
				    is none, or that is not known */
	const struct state_party *party;
	size_t parties;
	uint32_t parties_more;   /* not listed */
	bool all_known;          /* nobody else has it */
	const char *unseen;      /* NULL, or why nobody was found: "3 processes may not be looked at" */
};

struct state_open { /* a pipe or socket of a process */
	int32_t fd;
	const char *is;
	bool reads, writes;
};

struct state_thread {
	int32_t tid;
	int32_t inner_tid;       /* in the process's pid_ns, where tid is the number outside: what stands
				    in its memory; 0: they are one */
	const char *name;
	char state;              /* letter of /proc: R S D T t Z; '?' not known */
	enum state_wait_kind wait;
	const char *wait_text;   /* "epoll_wait, no timeout", "read on pipe:[1234]"; NULL */
	int sys;                 /* system call it is blocked in, -1 none or not known */
	uint64_t arg[6], sp, pc;
	int stack;               /* index into state->stack, -1 */
	const char *captured;    /* "peek", "signal", "ptrace", "core", "proc" */
	const char *reason;      /* why there is no stack; NULL */
	bool disturbed, moved, own;
	uint64_t blocked_us;     /* blocked for at least so long; 0 not known */
	uint64_t still_us;       /* it has not run since then, as far as is known; 0 not known */
	struct state_cpu cpu;
	struct state_lock *lock; /* NULL: it sleeps on no lock, or that was not looked at */
	const char *server;      /* it waits for the answer of a filesystem: "FUSE", "NFS"; NULL */
	bool timed;              /* its system call has, or may have, a time limit */
	struct state_end *end;   /* those listed of the files that it waits on */
	size_t ends;
	uint32_t ends_all;       /* how many there are; 0: none, or not known */
	bool ends_more;          /* and further ones that nobody counted */
	int32_t set;             /* number of the epoll set; -1 */
	const struct state_party *child; /* any of which it waits for in wait(2) */
	size_t children;
};

struct state_process {
	int32_t pid;
	int32_t inner_pid;       /* in pid_ns, where pid is the number outside; 0: they are one */
	uint64_t start;
	const char *boot;        /* boot id text; NULL */
	uint64_t pid_ns;
	const char *name, *host, *exe;
	enum state_answer alive;
	char state;              /* letter of /proc of the main thread; '?' */
	enum state_source source;
	const char *feed;        /* path; NULL */
	bool library;            /* libsigdump is in it */
	uint64_t seen_us, dump_us; /* last seen; when its threads were captured, 0 never */
	uint64_t family;         /* dump id, 0 */
	bool carried;            /* not looked at in this moment: as last seen */
	struct state_thread *thread;
	size_t threads, threads_room;
	uint32_t left_out;       /* threads beside those that are there, not looked at: too many */
	bool all_threads;        /* every thread it had is there, as far as one reading can tell */
	enum state_answer handles; /* it has handlers for signals that others send, but for SIGINT,
				    with which it is ended: they may wake its threads */
	struct state_open *open; /* its pipes and sockets; live sources look when they are asked for */
	size_t opens, opens_room;
	int64_t rss_bytes, fds;  /* -1 not known */
};

struct state {
	struct arena arena;
	uint64_t now_us;          /* the moment this state describes */
	int64_t real_offset_us;   /* CLOCK_REALTIME - CLOCK_MONOTONIC */
	unsigned sources;         /* enum state_source bits that contributed */
	bool single_moment;       /* nothing before this moment was seen: dwell comes from ages */
	bool sees_processes;      /* false: whether processes run, stop or wait is not known */
	bool sees_bells;          /* false: unread bell bytes are not known */
	struct state_input *input;
	size_t inputs, inputs_room;
	struct state_hub *hub;
	size_t hubs, hubs_room;
	struct state_process *process;
	size_t processes, processes_room;
	struct state_stack *stack;
	size_t stacks, stacks_room;
	const char **unseen;      /* sentences: what could not be seen, and why ("NOT SEEN") */
	size_t unseens, unseens_room;
};

/* state_init / state_fini - an empty state; give back all it owns. Safety: one-owner. */
void state_init(struct state *st);
void state_fini(struct state *st);

/* state_note_unseen - add a "NOT SEEN" sentence; kept once. Safety: one-owner. */
void state_note_unseen(struct state *st, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * state_find_process - the process with this pid and start time (0: any); NULL when absent.
 * Safety: MT-safe on a state that nobody changes.
 */
struct state_process *state_find_process(const struct state *st, int32_t pid, uint64_t start);

/* state_find_thread - thread `tid` of a process; NULL when absent. Safety: as above. */
struct state_thread *state_find_thread(const struct state_process *p, int32_t tid);

/* state_find_peer - peer `id` of a hub; NULL when absent. Safety: as above. */
struct state_peer *state_find_peer(const struct state_hub *hub, unsigned id);

/*
 * state_join - the last step of every source: one hub seen by several becomes one, each peer as
 * the freshest of them saw it; equal stacks become one, with the number of threads that have
 * it; peers are linked to processes by pid and start time; locks to their owners (lock.h), open
 * files to who has the other end (ends.h).
 *
 * Unread bell bytes are known at the end that owns the socket only. They are taken over from
 * the other look if the ring stood still between the two, else they stay unknown.
 *
 * May be called again after more was added. Returns 0 or -ENOMEM. Safety: one-owner.
 */
int state_join(struct state *st);

/*
 * state_add_* - an empty element at the end of the state's array, numbers at "not known".
 * Pointers into that array are valid until the next one. NULL without memory.
 * Safety: one-owner.
 */
struct state_input *state_add_input(struct state *st);
struct state_hub *state_add_hub(struct state *st);
struct state_peer *state_add_peer(struct state *st, struct state_hub *hub, unsigned id);
struct state_process *state_add_process(struct state *st);
struct state_thread *state_add_thread(struct state *st, struct state_process *p);
struct state_stack *state_add_stack(struct state *st);

#endif
