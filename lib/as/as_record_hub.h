/*
 * as_record_hub - the records of a look at one hub: hub, peer, ring, class, slot, call.
 *
 *	as_record_look(r, 1);
 *	as_hub_open(&hub, fd) ... as_record_hub(r, &view)
 *
 * What cannot be read becomes a field that says so; nothing stops the rest.
 *
 * Safety, for every function here: AS-safe, one-owner; may block as pread(2) and write(2) do.
 */
#ifndef SHMSCOPE_AS_RECORD_HUB_H
#define SHMSCOPE_AS_RECORD_HUB_H

#include "lib/as/as_record.h"
#include "lib/as/as_ring.h"

enum {
	AS_RECORD_SLOTS = 256,
	AS_RECORD_CALLS = 256,
	AS_RECORD_OLDEST_TO = 2 * (HUB_PEERS_MAX + 1), /* each peer, each direction */
};

/* Where unread bytes of doorbells can be asked for; descriptors of the calling thread. */
struct as_record_bells {
	int pidfd;   /* of the process whose descriptors the hub file names; -1: cannot be asked */
	int diag;    /* a NETLINK_SOCK_DIAG socket for the other ends; -1: none */
	bool host;   /* that process is the host (it has the host's ends), else the peer */
	int own_fd;  /* peer: the number of its end there */
};

/* One of 256 things that are kept because they are the oldest. */
struct as_record_old {
	uint32_t index;
	uint32_t age_ms;
};

/* A look at one hub. */
struct as_record_hub_view {
	const struct as_hub *hub; /* opened */
	unsigned h;               /* number of the hub within the dump */
	unsigned look;
	const char *path;
	uint64_t ino;
	bool host;                /* role of the process that looks */
	unsigned peer;            /* its own id */
	const struct as_record_bells *bells;
	uint64_t until_ns;        /* of CLOCK_MONOTONIC: no further part is begun */
	/* room to work in */
	union as_ring_space *space;
	struct as_ring *ring;
	struct as_class *klass;
	struct as_record_old *old; /* AS_RECORD_SLOTS entries */
	uint32_t *oldest_to;       /* AS_RECORD_OLDEST_TO: age of the oldest call to each peer, of
				      the oldest slot in flight to it and from it */
};

/* as_record_look - a look at the transport begins. */
void as_record_look(struct as_record *r, unsigned look);

/*
 * as_record_hub - everything about one hub. A host tells of all its peers, classes, slots and
 * calls, a peer of itself, its rings, its slots and its calls.
 */
void as_record_hub(struct as_record *r, const struct as_record_hub_view *v);

/* as_record_hub_error - a hub that could not be read; err negative errno. */
void as_record_hub_error(struct as_record *r, const struct as_record_hub_view *v, int err);

#endif
