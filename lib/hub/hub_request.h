/*
 * hub_request - a call or notification that came in, on either side.
 *
 * It lives from the moment it was taken until it was answered (or dropped) and its handler has
 * returned: each of the two holds a reference.
 */
#ifndef SHMSCOPE_HUB_REQUEST_H
#define SHMSCOPE_HUB_REQUEST_H

#include "lib/hub/hub_priv.h"

struct hub_request_ops {
	/* buf: NULL, or a slot of ours that holds the payload (data is then ignored) */
	int (*reply)(struct shmhub_request *r, int status, const void *data, struct shmhub_buf *buf,
		     size_t len, bool more);
	int (*reserve)(struct shmhub_request *r, size_t size, int timeout_ms, struct shmhub_buf *buf);
	int (*read)(struct shmhub_request *r, int timeout_ms, struct shmhub_msg *msg);
	void (*forget)(struct shmhub_request *r); /* take it out of the tables */
	void (*leave)(struct shmhub_request *r);  /* it is about to be freed; NULL */
};

struct shmhub_request {
	const struct hub_request_ops *ops;
	struct hub_work work;            /* host */
	struct shmhub *hub;              /* host */
	struct hub_link *link;           /* host */
	struct shmhub_peer *self;        /* peer */
	struct shmhub_request *next;     /* peer: chain of its table */
	_Atomic uint32_t refs;           /* Q1 */
	uint16_t peer, incarnation, method;
	uint8_t kind;
	uint32_t call;
	bool deferred, over, began;      /* over: answered or dropped; began: a part was sent */
	bool entered;                    /* leave() is owed */
	int error;                       /* why there is no payload */
	uint64_t deadline_ns;
	_Atomic uint32_t cancelled;
	_Atomic uint32_t seq;            /* host, W1: body, credit or cancellation has come */
	/* payload: in m, in slot, or in copy */
	struct hub_slot_ref slot;
	void *copy;
	/* frames of the request that follow; host: under link->lock */
	struct hub_frames frames;
	bool more_to_come;
	uint32_t frames_read;            /* since the last credit given */
	/* frames of the answer */
	uint32_t credit, frame_no;
	void (*on_body)(struct shmhub_request *r, struct shmhub_msg *msg, void *arg);
	void *on_body_arg;
	void (*on_credit)(struct shmhub_request *r, void *arg);
	void *on_credit_arg;
	struct hub_message m; /* last: only what is used of it is written */
};

/* hub_request_new - from a message that was taken; slot is taken. NULL: no memory.
 * spare: memory of a request that is over, or NULL. Two references. Safety: MT-safe. */
struct shmhub_request *hub_request_new(const struct hub_request_ops *ops,
				       const struct hub_message *m, struct hub_slot_ref *slot,
				       struct shmhub_request *spare);

/* hub_request_pool - the pool its payload belongs to. Safety: MT-safe. */
struct hub_pool *hub_request_pool(const struct shmhub_request *r);

/* hub_request_unref - drop one reference. Safety: MT-safe. */
void hub_request_unref(struct shmhub_request *r);

/* hub_request_end - answered or dropped: out of the tables, the application's reference gone.
 * Safety: one-owner. */
void hub_request_end(struct shmhub_request *r);

/* hub_request_answer - the message of an answer (REPLY, or BODY once a part was sent). */
void hub_request_answer(struct shmhub_request *r, int status, bool more, struct hub_message *m);

/* hub_request_add_body - a further frame came; slot taken. -EBADMSG: against the protocol. */
int hub_request_add_body(struct shmhub_request *r, const struct hub_message *m,
			 struct hub_slot_ref *slot);

/* hub_request_add_credit - n more frames may be sent. -EBADMSG: against the protocol. */
int hub_request_add_credit(struct shmhub_request *r, int32_t n);

#endif
