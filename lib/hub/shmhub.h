/*
 * shmhub - calls between one host process and up to 1024 peer processes, through one
 * shared-memory file (a hub). The file, byte by byte: lib/hub/hub_format.h.
 *
 *	host					peer (a program started by the host)
 *	shmhub_config_init(&config);		shmhub_peer_args(&argc, argv, &config, &error);
 *	config.name = "demo";			shmhub_peer_attach(&config, &peer, &error);
 *	shmhub_create(&config, &hub, &error);	shmhub_peer_handle(peer, 1, "upper", fn, NULL);
 *	shmhub_spawn(hub, &spawn, &id, &error);	return shmhub_peer_run(peer) ? 1 : 0;
 *	shmhub_call(hub, id, 1, "abc", 3, 1000, &reply);
 *	...
 *	shmhub_msg_release(&reply);
 *	shmhub_destroy(hub, 1000);
 *
 * The host may use every function on a `struct shmhub` from any number of threads. A peer is
 * single-threaded: all functions on one `struct shmhub_peer`, and on requests that came in
 * through it, belong to the thread that attached.
 *
 * Results are 0 (or a count) or a negative errno:
 *	-EAGAIN      no room (ring, slots or call table) and the caller did not want to wait
 *	-ETIMEDOUT   the time given is over
 *	-EMSGSIZE    larger than the largest slot class: see shmhub_payload_max()
 *	-ENOSPC      the hub's filesystem has no room for the pages of a slot
 *	-EOWNERDEAD  the other process died (or its link was closed) before it answered
 *	-EDEADLK     would wait for something that only this thread could do; or requests wait for
 *	             slots that they hold themselves (shmhub(7), "What is bounded")
 *	-ESHUTDOWN   the hub is being destroyed
 *	-ENOENT      no such peer, method or call
 *	-ESTALE      the hub was inherited by fork(); it belongs to the parent
 *
 * Structs that begin with `size` may grow in later versions: set it to sizeof(struct ...) before
 * the struct is handed over, whichever way it is then filled (-EINVAL else). All others stay as
 * they are.
 *
 * Times given as `timeout_ms`: -1 waits as long as it takes, 0 does not wait.
 *
 * Safety words: MT-safe (any thread, no lock needed), one-owner (one thread at a time per
 * object), may block. Nothing here is async-signal-safe, and nothing installs a signal
 * handler or changes a signal mask of the application's threads.
 */
#ifndef SHMHUB_H
#define SHMHUB_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SHMHUB_API __attribute__((visibility("default")))

struct shmhub;         /* the host's end */
struct shmhub_peer;    /* a peer's end */
struct shmhub_request; /* a call or notification that came in; see "Requests" */

enum {
	SHMHUB_INLINE_MAX = 192, /* payloads up to this travel inside the ring */
	SHMHUB_HOLD_MIN = 131072, /* from here on receivers read in place, see struct shmhub_msg */
	SHMHUB_CLASSES_MAX = 16,
	SHMHUB_METHOD_MAX = 65535, /* methods are numbers 1..this; the first 64 used have histograms */
};

/* ---- errors that can explain themselves ----------------------------------------------- */

/* One sentence in the caller's storage; nothing to free. May be NULL wherever it is taken. */
struct shmhub_error {
	int code;       /* the negative errno that was returned */
	char text[480]; /* "OBJECT: WHAT (WHY)", one line */
	char next[320]; /* what to do; may be empty */
};

/* ---- payload -------------------------------------------------------------------------- */

/*
 * A received payload. `data` points into this object (small ones), to private memory, or
 * straight into the hub (SHMHUB_IN_PLACE: from SHMHUB_HOLD_MIN bytes on). In the last case a
 * sender gone wild may change bytes while they are read: read each byte once. Do not copy the
 * object; give it back with shmhub_msg_release(), which also frees the slot for others.
 */
struct shmhub_msg {
	const void *data;
	size_t len;
	int status;      /* of a reply: 0 or a negative errno chosen by the answering side */
	unsigned flags;  /* SHMHUB_MORE, SHMHUB_IN_PLACE */
	uint64_t opaque[4];
	unsigned char small[SHMHUB_INLINE_MAX];
};

/* A slot taken by shmhub_reserve() for filling in place. */
struct shmhub_buf {
	void *data;
	size_t size;     /* room at data; at least what was asked for */
	uint64_t opaque[4];
};

enum {
	SHMHUB_MORE = 1,     /* further frames of this body follow */
	SHMHUB_NOWAIT = 2,   /* -EAGAIN instead of waiting for a call entry, a slot or ring space */
	SHMHUB_IN_PLACE = 4, /* (shmhub_msg) data lies in the hub */
	SHMHUB_COPY = 8,     /* (wait) never in place: a private copy */
	SHMHUB_HOLD = 16,    /* (wait) in place whenever it lies in a slot, however small */
};

/*
 * shmhub_msg_release - give a received payload back. A zeroed or released message is fine.
 * Safety: MT-safe (different messages), never blocks.
 */
SHMHUB_API void shmhub_msg_release(struct shmhub_msg *msg);

/*
 * shmhub_buf_release - give a reserved slot back unsent. A zeroed or sent buffer is fine.
 * Safety: MT-safe (different buffers), never blocks.
 */
SHMHUB_API void shmhub_buf_release(struct shmhub_buf *buf);

/* ---- host: create and destroy --------------------------------------------------------- */

struct shmhub_class {
	size_t bytes;   /* slot size: a power of two, 256 bytes to 1 GiB; ascending */
	unsigned first; /* slots at creation */
	unsigned max;   /* it may grow to this many; 0: as config.limit allows */
};

struct shmhub_config {
	size_t size;           /* sizeof(struct shmhub_config): set by shmhub_config_init() */
	const char *name;      /* the file is /dev/shm/NAME.hub */
	const char *path;      /* or this file */
	unsigned memfd;        /* or (1) no file at all: an anonymous, sealed memfd */
	unsigned peers_max;    /* 1..1024, default 32 */
	unsigned ring_cells;   /* power of two, 16..65536, default 256 */
	unsigned calls_max;    /* pending calls of the host, 16..32768, default 8192 */
	unsigned handler_threads; /* at most this many, started when needed; default 4 */
	unsigned keep_file;    /* (1) shmhub_destroy() leaves the file, for a post-mortem */
	unsigned class_count;  /* 0: 1 KiB x1024, 16 KiB x256, 256 KiB x32, 4 MiB x8, 16 MiB x4 */
	struct shmhub_class classes[SHMHUB_CLASSES_MAX];
	uint64_t limit;        /* bytes of payload the hub may grow to; 0: 16 times the first */
};

/* shmhub_config_init - defaults, in what this caller knows of the struct. Safety: MT-safe. */
static inline void shmhub_config_init(struct shmhub_config *config)
{
	memset(config, 0, sizeof(*config));
	config->size = sizeof(*config);
}

/*
 * shmhub_create - make the hub and become its host.
 *
 * config  borrowed. name, path or memfd says where.
 * hub     returned; shmhub_destroy() frees it.
 *
 * Creates the file under a temporary name, backs its tables and publishes it without replacing
 * anything. A hub of that name whose host is proven dead (its lock can be taken, or it is of
 * another boot) is replaced. Starts two threads (events, life of peers).
 *
 * Returns 0; -EBUSY when that hub has a living host; -EEXIST when something that is not a hub
 * lies there; -ENOSPC, -EFBIG; -EINVAL for a wrong configuration; each with error set.
 * Safety: MT-safe, may block (file operations).
 */
SHMHUB_API int shmhub_create(const struct shmhub_config *config, struct shmhub **hub,
			     struct shmhub_error *error);

/*
 * shmhub_destroy - orderly end: no new calls, peers are told to leave, those that have not
 * left after grace_ms are killed, waiting callers get -ESHUTDOWN, handlers that run are waited
 * for, the file is removed (see keep_file), hub is freed. NULL is fine.
 *
 * All messages and buffers must have been released, and no thread may use hub any more or
 * start to: only calls that already wait are woken.
 * Safety: one-owner, may block (grace_ms plus the longest handler). Never from a handler.
 */
SHMHUB_API void shmhub_destroy(struct shmhub *hub, int grace_ms);

/* shmhub_path - where a peer or a tool opens it; lives as long as hub. Safety: MT-safe. */
SHMHUB_API const char *shmhub_path(const struct shmhub *hub);

/*
 * shmhub_payload_max - the largest payload of one frame: the size of the largest slot. More is
 * -EMSGSIZE, counted in the file with its size; such a body goes in several frames.
 * Safety: MT-safe.
 */
SHMHUB_API size_t shmhub_payload_max(const struct shmhub *hub);

/* ---- host: peers ---------------------------------------------------------------------- */

struct shmhub_peer_config; /* below */

enum { SHMHUB_RESTART_NEVER = 0, SHMHUB_RESTART_ON_DEATH = 1 };

struct shmhub_spawn {
	size_t size;        /* sizeof(struct shmhub_spawn) */
	const char *name;   /* shown everywhere; up to 47 bytes */
	const char *path;   /* program, searched in PATH when it has no slash */
	char *const *argv;  /* its arguments; "--hub-path P --peer-id N --doorbell-fd F" is added */
	char *const *envp;  /* NULL: the host's */
	unsigned restart;   /* SHMHUB_RESTART_* */
	unsigned backoff_first_ms; /* before the first restart; doubles per death; default 50 */
	unsigned backoff_max_ms;   /* up to this; back to the first after 10 s alive; default 5000 */
	unsigned die_with_host;    /* (1) the kernel kills it when the host dies, whatever it does */
	/* Instead of a program: runs in a fork of the host, which has only the calling thread;
	 * its result is the exit status. It attaches with the given config. */
	int (*child)(const struct shmhub_peer_config *config, void *arg);
	void *arg;
};

/*
 * shmhub_spawn - start a peer.
 *
 * spawn  copied, its strings and vectors too.
 * peer   set to its id, 1..peers_max. It keeps it over restarts.
 *
 * The process is started by a thread that lives as long as hub. Its signal mask is the
 * caller's. Messages may be sent at once; they wait in the ring until it attached.
 *
 * Returns 0; -ENFILE when all ids are taken; -ENOSPC; what posix_spawn() says; error set.
 * Safety: MT-safe, may block (until the program has been executed).
 */
SHMHUB_API int shmhub_spawn(struct shmhub *hub, const struct shmhub_spawn *spawn, unsigned *peer,
			    struct shmhub_error *error);

/*
 * shmhub_stop - end a peer: asks it to leave, kills it after grace_ms, takes everything back.
 * It is not restarted, and its id may be used by a later shmhub_spawn().
 * Returns 0 once it is gone; -ENOENT.
 * Safety: MT-safe, may block (grace_ms).
 */
SHMHUB_API int shmhub_stop(struct shmhub *hub, unsigned peer, int grace_ms);

/* shmhub_kill - SIGKILL a peer (by pidfd: never another process). With a restart policy it
 * comes back. Returns 0; -ENOENT when it is not alive. Safety: MT-safe. */
SHMHUB_API int shmhub_kill(struct shmhub *hub, unsigned peer);

enum {
	SHMHUB_PEER_UNUSED = 0,
	SHMHUB_PEER_STARTING,
	SHMHUB_PEER_LIVE,
	SHMHUB_PEER_LEAVING,
	SHMHUB_PEER_DEAD,        /* ended, not yet taken back */
	SHMHUB_PEER_GONE,        /* ended, everything taken back */
	SHMHUB_PEER_QUARANTINED, /* wrote nonsense; killed */
};

struct shmhub_peer_info {
	size_t size;          /* sizeof(struct shmhub_peer_info): set by the caller */
	unsigned state;       /* SHMHUB_PEER_* */
	int pid;
	unsigned incarnation; /* starts at 1 */
	unsigned restarts;
	int exit_status;      /* as waitpid() gives it; -1 while alive or unknown */
	unsigned calls_pending;
	uint64_t sent, received; /* messages, both incarnation independent */
	char name[48];
};

/* shmhub_peer_get - what the host knows about a peer. Returns 0; -ENOENT; -EINVAL (size); info
 * is set on 0 only. Safety: MT-safe. */
SHMHUB_API int shmhub_peer_get(struct shmhub *hub, unsigned peer, struct shmhub_peer_info *info);

/*
 * shmhub_on_peer - be told when a peer's state changes to LIVE or GONE, in order per peer.
 * fn runs on a handler thread. Set it before the first spawn.
 * Safety: one-owner.
 */
SHMHUB_API void shmhub_on_peer(struct shmhub *hub,
			       void (*fn)(struct shmhub *hub, unsigned peer, unsigned state,
					  void *arg),
			       void *arg);

/* ---- host: calls ---------------------------------------------------------------------- */

/*
 * shmhub_call - call a peer and wait for the answer.
 *
 * data, len   the request; borrowed, copied.
 * timeout_ms  for everything: a call entry, a slot, ring space and the answer.
 * reply       set on 0; give it back with shmhub_msg_release(). NULL: only the status counts
 *             and is what is returned.
 *
 * Returns 0 with reply->status as the peer's handler set it (-ENOSYS: it has no such handler);
 * -ETIMEDOUT (the peer is told to cancel), -EOWNERDEAD, -EMSGSIZE, -ENOSPC, -ENOENT, -EAGAIN,
 * -ESHUTDOWN, -EDEADLK.
 * Safety: MT-safe, may block.
 */
SHMHUB_API int shmhub_call(struct shmhub *hub, unsigned peer, unsigned method, const void *data,
			   size_t len, int timeout_ms, struct shmhub_msg *reply);

/*
 * shmhub_call_start - the first half of shmhub_call().
 *
 * timeout_ms  for the whole call, answer included; while sending this function may wait too.
 * flags       SHMHUB_NOWAIT; SHMHUB_MORE: frames follow by shmhub_call_write().
 * call        returned: to be ended with shmhub_wait() or shmhub_cancel().
 * Errors and safety as shmhub_call().
 */
SHMHUB_API int shmhub_call_start(struct shmhub *hub, unsigned peer, unsigned method,
				 const void *data, size_t len, int timeout_ms, unsigned flags,
				 uint64_t *call);

/* shmhub_call_start_buf - the same with a buffer from shmhub_reserve() (which names the peer);
 * len bytes of it are sent. On 0 buf is taken, else still the caller's. */
SHMHUB_API int shmhub_call_start_buf(struct shmhub *hub, unsigned method, struct shmhub_buf *buf,
				     size_t len, int timeout_ms, unsigned flags, uint64_t *call);

/*
 * shmhub_call_write - a further frame of a request begun with SHMHUB_MORE; the last one
 * without that flag. The peer grants credit as it reads: without it the caller waits (or gets
 * -EAGAIN with SHMHUB_NOWAIT). -EPIPE: the peer has already answered and wants no more.
 * Safety: one-owner per call, may block.
 */
SHMHUB_API int shmhub_call_write(struct shmhub *hub, uint64_t call, const void *data, size_t len,
				 unsigned flags);

/*
 * shmhub_wait - wait for the (next frame of the) answer.
 *
 * timeout_ms  how long this function waits; the call's own deadline counts too.
 * flags       SHMHUB_COPY, SHMHUB_HOLD.
 * reply       as in shmhub_call(). With SHMHUB_MORE in reply->flags the call goes on and
 *             shmhub_wait() gets the next frame; else the call is over.
 *
 * Returns as shmhub_call(); -EAGAIN when timeout_ms is over but not the call's deadline (the
 * call goes on). Any other error ends the call. -ENOENT: no such call (any more).
 * Safety: one-owner per call, may block.
 */
SHMHUB_API int shmhub_wait(struct shmhub *hub, uint64_t call, int timeout_ms, unsigned flags,
			   struct shmhub_msg *reply);

/*
 * shmhub_call_async - like shmhub_call_start(), and fn is told the result on a handler thread,
 * once per frame of the answer. result is what shmhub_wait() would have returned; reply is
 * borrowed for the time of fn and is NULL unless result is 0.
 */
SHMHUB_API int shmhub_call_async(struct shmhub *hub, unsigned peer, unsigned method,
				 const void *data, size_t len, int timeout_ms, unsigned flags,
				 void (*fn)(void *arg, int result, struct shmhub_msg *reply),
				 void *arg, uint64_t *call);

/*
 * shmhub_cancel - the answer is no longer wanted. Whoever waits for it gets -ECANCELED; the
 * peer is told (a handler that still runs is not stopped). Ends the call when nobody waits.
 * Returns 0; -ENOENT when it is already over.
 * Safety: MT-safe, never blocks.
 */
SHMHUB_API int shmhub_cancel(struct shmhub *hub, uint64_t call);

/*
 * shmhub_notify - send without wanting an answer.
 *
 * flags  SHMHUB_NOWAIT.
 * Returns 0 when it lies in the peer's ring (a peer that dies takes it along). A peer reads at
 * its own pace: with 1024 notifications unread, or no room, waits up to timeout_ms.
 * Safety: MT-safe, may block.
 */
SHMHUB_API int shmhub_notify(struct shmhub *hub, unsigned peer, unsigned method, const void *data,
			     size_t len, int timeout_ms, unsigned flags);
SHMHUB_API int shmhub_notify_buf(struct shmhub *hub, unsigned method, struct shmhub_buf *buf,
				 size_t len, int timeout_ms, unsigned flags);

/*
 * shmhub_reserve - take a slot of at least `size` bytes for a message to `peer`, to be filled
 * in place. The slot counts against the peer's share: a quarter of its class each way. -EAGAIN, -ETIMEDOUT, -EMSGSIZE, -ENOSPC.
 * Safety: MT-safe, may block.
 */
SHMHUB_API int shmhub_reserve(struct shmhub *hub, unsigned peer, size_t size, int timeout_ms,
			      struct shmhub_buf *buf);

/*
 * shmhub_method_name - name a method for tools and histograms (up to 39 bytes).
 * Safety: MT-safe.
 */
SHMHUB_API void shmhub_method_name(struct shmhub *hub, unsigned method, const char *name);

/* ---- requests: what handlers get (host and peer) ---------------------------------------- */

/*
 * A handler answers with shmhub_reply(), now or later: to answer later it says
 * shmhub_request_defer() and keeps the pointer; the request then lives until its reply (or
 * shmhub_request_drop()). A handler that returns without either has answered -ENOMSG.
 *
 * In the host, handlers run on the hub's handler threads, may block and may call peers. In a
 * peer they run in its loop, one at a time: there shmhub_peer_call() gives -EDEADLK.
 */
typedef void (*shmhub_handler)(struct shmhub_request *request, void *arg);

/* shmhub_handle - serve a method called by peers. name may be NULL. Set before peers use it.
 * Returns 0; -EINVAL; -ENOMEM. Safety: MT-safe. */
SHMHUB_API int shmhub_handle(struct shmhub *hub, unsigned method, const char *name,
			     shmhub_handler fn, void *arg);

/* What came in. data lives until the reply. Safety: one-owner, never block. */
SHMHUB_API const void *shmhub_request_data(const struct shmhub_request *request);
SHMHUB_API size_t shmhub_request_len(const struct shmhub_request *request);
SHMHUB_API unsigned shmhub_request_method(const struct shmhub_request *request);
SHMHUB_API unsigned shmhub_request_peer(const struct shmhub_request *request); /* who sent it; 0: the host */
SHMHUB_API int shmhub_request_is_notify(const struct shmhub_request *request); /* wants no reply */
SHMHUB_API int shmhub_request_more(const struct shmhub_request *request);      /* frames follow */
/* Nobody waits for the answer any more (cancelled, or its deadline is over). */
SHMHUB_API int shmhub_request_is_cancelled(struct shmhub_request *request);

/*
 * shmhub_reply - answer, and end the request (it must not be touched afterwards).
 *
 * status  0 or a negative errno; the caller sees it beside the data.
 *
 * In the host this never blocks: what the peer's ring has no room for is queued privately. In
 * a peer it waits for ring space or a slot when there is none, taking in messages meanwhile.
 * Returns 0; -EOWNERDEAD when the caller is gone; -EMSGSIZE, -ENOSPC, -ENOBUFS (the caller
 * then got that as status); the request is over in every case. On a notification: 0, nothing sent.
 * Safety: one-owner per request.
 */
SHMHUB_API int shmhub_reply(struct shmhub_request *request, int status, const void *data,
			    size_t len);
SHMHUB_API int shmhub_reply_buf(struct shmhub_request *request, int status,
				struct shmhub_buf *buf, size_t len);

/* shmhub_reply_reserve - a slot for an answer, to be filled in place; see shmhub_reserve(). */
SHMHUB_API int shmhub_reply_reserve(struct shmhub_request *request, size_t size, int timeout_ms,
				    struct shmhub_buf *buf);

/*
 * shmhub_reply_part - one frame of an answer of several; shmhub_reply() sends the last.
 * The caller grants credit (8 frames ahead). Without credit: in the host waits until the
 * call's deadline; in a peer -EAGAIN, and fn given to shmhub_request_on_credit() is called
 * when it may go on.
 */
SHMHUB_API int shmhub_reply_part(struct shmhub_request *request, const void *data, size_t len);
SHMHUB_API void shmhub_request_on_credit(struct shmhub_request *request,
					 void (*fn)(struct shmhub_request *request, void *arg),
					 void *arg);

/*
 * Further frames of a request with shmhub_request_more(). In the host: shmhub_request_read()
 * blocks for the next one (-ENODATA after the last). In a peer: fn is called per frame from
 * the loop (msg is borrowed; without SHMHUB_MORE it was the last; msg NULL: cancelled). Set it
 * in the handler; frames nobody reads are dropped.
 */
SHMHUB_API int shmhub_request_read(struct shmhub_request *request, int timeout_ms,
				   struct shmhub_msg *msg);
SHMHUB_API void shmhub_request_on_body(struct shmhub_request *request,
				       void (*fn)(struct shmhub_request *request,
						  struct shmhub_msg *msg, void *arg),
				       void *arg);

/* shmhub_request_defer - it will be answered after the handler returned. */
SHMHUB_API void shmhub_request_defer(struct shmhub_request *request);
/* shmhub_request_drop - end it without an answer (its caller waits until its deadline; meant
 * for notifications and for cancelled calls). */
SHMHUB_API void shmhub_request_drop(struct shmhub_request *request);

/* ---- peer: attach and detach ------------------------------------------------------------ */

struct shmhub_peer_config {
	size_t size;         /* sizeof(struct shmhub_peer_config) */
	const char *path;    /* --hub-path */
	unsigned id;         /* --peer-id */
	int doorbell_fd;     /* --doorbell-fd */
	int wait_ms;         /* for the hub to appear; default 5000 */
	unsigned die_with_host; /* (1) be killed when the host dies; see shmhub_spawn */
};

/*
 * shmhub_peer_args - take --hub-path, --peer-id and --doorbell-fd (also --NAME=VALUE) out of
 * argv; the rest stays in order and argc is lowered. config->size says what the caller knows of
 * config; all else in it is set, to defaults where no argument says otherwise.
 * Returns 0; -EINVAL with error set when one is missing or no number, or the size is not set.
 * Safety: one-owner.
 */
SHMHUB_API int shmhub_peer_args(int *argc, char **argv, struct shmhub_peer_config *config,
				struct shmhub_error *error);

/*
 * shmhub_peer_attach - join the hub.
 *
 * peer  returned; shmhub_peer_detach() frees it. The doorbell fd is taken, also on failure (but
 *       not when the config's size makes no sense: -EINVAL, and nothing of it was read).
 *
 * Waits up to wait_ms for a hub with a living host at that path.
 * Returns 0; -ETIMEDOUT when none appeared; -EBADMSG, -EPROTO (not a hub; another version);
 * -EOWNERDEAD when the host hung up; each with one sentence in error.
 * Safety: one-owner, may block (wait_ms).
 */
SHMHUB_API int shmhub_peer_attach(const struct shmhub_peer_config *config,
				  struct shmhub_peer **peer, struct shmhub_error *error);

/*
 * shmhub_peer_detach - leave: tells the host, gives everything back, frees peer. NULL is fine.
 * Requests that were deferred are dropped. The host expects the process to end soon after.
 * Safety: one-owner; not from a handler.
 */
SHMHUB_API void shmhub_peer_detach(struct shmhub_peer *peer);

/* shmhub_peer_payload_max - as shmhub_payload_max(). Safety: one-owner. */
SHMHUB_API size_t shmhub_peer_payload_max(const struct shmhub_peer *peer);

/* shmhub_peer_handle - serve a method. As shmhub_handle(). Safety: one-owner. */
SHMHUB_API int shmhub_peer_handle(struct shmhub_peer *peer, unsigned method, const char *name,
				  shmhub_handler fn, void *arg);

/* ---- peer: its loop, or somebody else's ------------------------------------------------- */

/*
 * shmhub_peer_run - the loop: sleeps in epoll_wait() on the doorbell, runs handlers.
 * Returns 0 when the host asked it to leave or shmhub_peer_quit() was called; -EOWNERDEAD when
 * the host died; -EBADMSG when its ring holds nonsense; -EDEADLK from inside a handler.
 * Safety: one-owner, may block.
 */
SHMHUB_API int shmhub_peer_run(struct shmhub_peer *peer);

/* shmhub_peer_quit - shmhub_peer_run() returns after the current handler. Safety: one-owner. */
SHMHUB_API void shmhub_peer_quit(struct shmhub_peer *peer);

/*
 * With an event loop of one's own:
 *
 *	add shmhub_peer_fd(peer) to the loop's set, for reading
 *	for (;;) {
 *		timeout = shmhub_peer_prepare(peer);   about to sleep
 *		n = epoll_wait(..., min(timeout, own));
 *		shmhub_peer_check(peer);               woke up, whatever for
 *		shmhub_peer_drain(peer, 64);           run handlers
 *	}
 *
 * The doorbell is only rung for a peer that said it is about to sleep, so every sleep must
 * be announced by prepare(), and after every sleep check() must come.
 */

/* shmhub_peer_fd - the doorbell. Safety: one-owner. */
SHMHUB_API int shmhub_peer_fd(const struct shmhub_peer *peer);

/*
 * shmhub_peer_prepare - announce the sleep, then look once more.
 * Returns how long to sleep at most, in ms: 0 when there is work already (the announcement is
 * taken back), -1 for no limit. Safety: one-owner, never blocks.
 */
SHMHUB_API int shmhub_peer_prepare(struct shmhub_peer *peer);

/* shmhub_peer_check - take the announcement back and empty the doorbell. Returns 0;
 * -EOWNERDEAD when the host hung up. Safety: one-owner, never blocks. */
SHMHUB_API int shmhub_peer_check(struct shmhub_peer *peer);

/*
 * shmhub_peer_drain - run handlers and completions for at most `max` messages.
 * Returns how many; -ESHUTDOWN when the host asked to leave (and nothing is left to do);
 * -EOWNERDEAD; -EBADMSG; -EDEADLK from inside a handler.
 * Safety: one-owner; blocks as far as handlers do.
 */
SHMHUB_API int shmhub_peer_drain(struct shmhub_peer *peer, unsigned max);

/* ---- peer: calls to the host ------------------------------------------------------------ */

/*
 * shmhub_peer_call - as shmhub_call(), to the host. Handlers of this peer may run while it
 * waits. -EDEADLK from inside a handler: use shmhub_peer_call_async() there.
 * Safety: one-owner, may block.
 */
SHMHUB_API int shmhub_peer_call(struct shmhub_peer *peer, unsigned method, const void *data,
				size_t len, int timeout_ms, struct shmhub_msg *reply);

/*
 * shmhub_peer_call_async - fn is called from the loop with the result, once per frame of the
 * answer (see shmhub_call_async()). At most 64 calls of a peer are pending at a time: -EAGAIN.
 * With SHMHUB_MORE in flags frames follow by shmhub_peer_call_write(). call may be NULL.
 * -ECANCELED: it waited for a slot in a handler whose caller no longer wants the answer.
 * Safety: one-owner; waits for ring space or a slot unless SHMHUB_NOWAIT.
 */
SHMHUB_API int shmhub_peer_call_async(struct shmhub_peer *peer, unsigned method, const void *data,
				      size_t len, int timeout_ms, unsigned flags,
				      void (*fn)(void *arg, int result, struct shmhub_msg *reply),
				      void *arg, uint64_t *call);
SHMHUB_API int shmhub_peer_call_async_buf(struct shmhub_peer *peer, unsigned method,
					  struct shmhub_buf *buf, size_t len, int timeout_ms,
					  unsigned flags,
					  void (*fn)(void *arg, int result,
						     struct shmhub_msg *reply),
					  void *arg, uint64_t *call);

/* shmhub_peer_call_write - a further frame; -EAGAIN without credit. As shmhub_call_write(). */
SHMHUB_API int shmhub_peer_call_write(struct shmhub_peer *peer, uint64_t call, const void *data,
				      size_t len, unsigned flags);

/* shmhub_peer_cancel - fn is not called any more. Returns 0; -ENOENT. Safety: one-owner. */
SHMHUB_API int shmhub_peer_cancel(struct shmhub_peer *peer, uint64_t call);

/* shmhub_peer_notify - as shmhub_notify(), to the host. Safety: one-owner, may block. */
SHMHUB_API int shmhub_peer_notify(struct shmhub_peer *peer, unsigned method, const void *data,
				  size_t len, int timeout_ms, unsigned flags);
SHMHUB_API int shmhub_peer_notify_buf(struct shmhub_peer *peer, unsigned method,
				      struct shmhub_buf *buf, size_t len, int timeout_ms,
				      unsigned flags);
SHMHUB_API int shmhub_peer_reserve(struct shmhub_peer *peer, size_t size, int timeout_ms,
				   struct shmhub_buf *buf);

/* ---- figures ---------------------------------------------------------------------------- */

struct shmhub_stats {
	size_t size;               /* sizeof(struct shmhub_stats): set by the caller */
	uint64_t messages_out, messages_in, bytes_out, bytes_in;
	uint64_t bells;            /* rung by the host */
	uint64_t sleeps;           /* of the host's ends of the links */
	uint64_t full_waits;       /* a sender had to wait for ring space */
	uint64_t alloc_failed;     /* slot claims that found nothing */
	uint64_t no_space;         /* ENOSPC or EFBIG while backing a slot */
	uint64_t calls, calls_failed, calls_waited, calls_refused;
	uint64_t late_replies;     /* answers to calls that were over */
	uint64_t rescues;          /* wake-ups that only a safety net brought */
	uint64_t peers_died, slots_swept, quarantined;
	uint64_t punched_bytes;    /* given back to the filesystem */
	uint32_t calls_pending, peers_live;
};

/* shmhub_stats_get - the host's sums over all peers. Returns 0; -EINVAL (size). Safety: MT-safe. */
SHMHUB_API int shmhub_stats_get(struct shmhub *hub, struct shmhub_stats *stats);

struct shmhub_peer_stats {
	size_t size;               /* sizeof(struct shmhub_peer_stats): set by the caller */
	uint64_t messages_out, messages_in, bytes_out, bytes_in;
	uint64_t bells;            /* rung by this peer */
	uint64_t sleeps, full_waits, alloc_failed, no_space, handled;
	uint64_t interrupted;      /* sleeps of shmhub_peer_run() that a signal ended (EINTR) */
	uint32_t calls_pending;
};

/* shmhub_peer_stats_get - this peer's figures, over all incarnations but `interrupted`.
 * Returns 0; -EINVAL (size). Safety: one-owner. */
SHMHUB_API int shmhub_peer_stats_get(struct shmhub_peer *peer, struct shmhub_peer_stats *stats);

/* shmhub_version - "0.1.0". Safety: MT-safe. */
SHMHUB_API const char *shmhub_version(void);

#ifdef __cplusplus
}
#endif

#endif
