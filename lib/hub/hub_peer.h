/*
 * hub_peer - what the parts of the peer's runtime share.
 *
 *	hub_peer.c		attach, detach, the loop
 *	hub_peer_take.c		what becomes of a message that was taken; waiting inside the runtime
 *	hub_peer_serve.c	requests of the host, and their answers
 *	hub_peer_call.c		calls to the host
 *
 * Single-threaded. Application code (handlers, completions) runs one at a time, from drain() at
 * the top level; what comes in while it runs and must wait (no ring space, no slot) is taken
 * into a private queue, so that a peer that waits for the host never keeps the host waiting.
 */
#ifndef SHMSCOPE_HUB_PEER_H
#define SHMSCOPE_HUB_PEER_H

#include <limits.h>

#include "lib/hub/hub_bell.h"
#include "lib/hub/hub_payload.h"
#include "lib/hub/hub_request.h"

enum { HUB_PEER_BUCKETS = 64 };

struct hub_peer_call {
	bool used, is_sync, done, answered, request_open;
	uint16_t gen, method;
	uint64_t deadline_ns;
	void (*fn)(void *arg, int result, struct shmhub_msg *reply);
	void *arg;
	struct shmhub_msg *reply; /* of a blocking call */
	int result;
	uint32_t credit, frame_no, read;
};

struct shmhub_peer {
	struct hub_pool pool;     /* first: pool.wake finds the peer */
	struct hub_map map;
	struct hub_end end;
	struct hub_peer *entry;
	struct shmhub_peer *next; /* all of this process, for fork children */
	bool inherited;
	int epoll_fd;             /* of shmhub_peer_run(); -1 until then */
	unsigned depth;           /* application code running, or waiting inside the runtime */
	bool quit, host_left, host_dead, broken, said_asleep, said_handler;
	struct hub_handler *handler[HUB_PEER_BUCKETS];
	struct shmhub_request *spare; /* memory of the last one that was over; NULL */
	struct hub_frames queue;  /* taken, to be delivered at the top level */
	struct shmhub_request *request[HUB_PEER_BUCKETS];
	struct hub_peer_call call[HUB_PEER_CALLS];
	unsigned calls;
	uint32_t share[HUB_CLASSES_MAX];
	unsigned spin_score, spin_skips;
	unsigned yields_to_skip, yield_backoff;
	uint32_t spin_ns;
	bool is_crowded;          /* more processes than processors: yield instead of spinning */
	uint64_t interrupted;     /* sleeps of shmhub_peer_run() that ended with EINTR */
	bool rang;                /* the last message had to wake the host */
	uint32_t serving;         /* id of the call whose handler runs; 0: none */
};

/* ---- hub_peer.c */
void hub_peer_beat(struct shmhub_peer *peer, unsigned state, unsigned method);
/* Is the other end there, and sane? 0, -EOWNERDEAD, -EBADMSG. */
int hub_peer_health(const struct shmhub_peer *peer);
/* The loop, until *done, the deadline, or its end as shmhub_peer_run(). */
int hub_peer_run_until(struct shmhub_peer *peer, const bool *done, uint64_t deadline_ns);

/* ---- hub_peer_take.c */
/* hub_peer_take - deliver one message, queued ones first. 1, 0 none, -EBADMSG. */
int hub_peer_take(struct shmhub_peer *peer);
bool hub_peer_has_work(struct shmhub_peer *peer);
/*
 * hub_peer_send - put a message into the send ring, waiting for space until the deadline (0: not
 * at all). slot: allocated; taken on 0.
 */
int hub_peer_send(struct shmhub_peer *peer, struct hub_message *m, const void *payload,
		  struct hub_slot_ref *slot, uint64_t deadline_ns, uint64_t *at);
int hub_peer_claim(struct shmhub_peer *peer, size_t bytes, bool is_answer, uint64_t deadline_ns,
		   struct hub_slot_ref *slot);
int hub_peer_payload(struct shmhub_peer *peer, const void *data, size_t len, uint64_t deadline_ns,
		     struct hub_message *m, struct hub_slot_ref *slot);
/* hub_peer_wait - sleep on the bell until something changes; takes in messages meanwhile
 * (absorb) or leaves them in the ring. 0, -ETIMEDOUT, -EOWNERDEAD, -EBADMSG. */
int hub_peer_wait(struct shmhub_peer *peer, uint32_t bits, bool (*is_over)(struct shmhub_peer *, void *),
		  void *arg, uint64_t deadline_ns);
/* hub_peer_own - the slot end of what this peer sends. */
struct hub_slot_end hub_peer_own(const struct shmhub_peer *peer);
/* hub_peer_buf - a buffer of this peer: its slot and message fields. -EINVAL. */
int hub_peer_buf(struct shmhub_peer *peer, const struct shmhub_buf *buf, size_t len,
		 struct hub_message *m, struct hub_slot_ref *slot);

/* ---- hub_peer_serve.c */
void hub_peer_serve(struct shmhub_peer *peer, const struct hub_message *m, struct hub_slot_ref *slot,
		    int error);
void hub_peer_serve_body(struct shmhub_peer *peer, const struct hub_message *m,
			 struct hub_slot_ref *slot);
int hub_peer_serve_credit(struct shmhub_peer *peer, const struct hub_message *m);
void hub_peer_serve_credit_told(struct shmhub_peer *peer, uint32_t call);
void hub_peer_serve_cancel(struct shmhub_peer *peer, uint32_t call);
/* Does nobody want the answer any more to what is being served? */
bool hub_peer_serve_is_over(struct shmhub_peer *peer);
void hub_peer_serve_cancel_told(struct shmhub_peer *peer, uint32_t call);
/* hub_peer_retire - nobody has this request any more: its memory serves the next one. */
void hub_peer_retire(struct shmhub_peer *peer, struct shmhub_request *r);
void hub_peer_serve_drop_all(struct shmhub_peer *peer);

/* ---- hub_peer_call.c */
/* An answer or a frame of one; copy: its payload, if that had to leave its slot (taken).
 * false: it must be told to a function, not now. */
bool hub_peer_call_answer(struct shmhub_peer *peer, const struct hub_message *m,
			  struct hub_slot_ref *slot, void *copy, int error, bool may_tell);
int hub_peer_call_credit(struct shmhub_peer *peer, const struct hub_message *m);
void hub_peer_call_expire(struct shmhub_peer *peer);
void hub_peer_call_fail_all(struct shmhub_peer *peer, int error);
uint64_t hub_peer_call_deadline(const struct shmhub_peer *peer);

/* hub_peer_pool - for objects that know their peer only by name. Safety: one-owner. */
struct hub_pool *hub_peer_pool(struct shmhub_peer *peer);

#endif
