/*
 * hub_fault - the seam where tests and hubdemo make the transport go wrong.
 *
 * Compiled with -DSHMHUB_FAULTS only into the copy that tests and hubdemo link; without it
 * every hook is the constant it stands for and the production objects contain none of this.
 *
 * A fault is switched on in the process that shall misbehave: the host's own copy of
 * hub_faults for what the host does, a peer's for what the peer does. Peer 0 is the host.
 */
#ifndef SHMSCOPE_HUB_FAULT_H
#define SHMSCOPE_HUB_FAULT_H

#ifdef SHMHUB_FAULTS

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { HUB_FAULT_PEERS = 1025 };

/* Per peer: what this process does wrong towards it (0: towards the host). */
enum hub_fault_bit {
	HUB_FAULT_NO_BELL = 1,      /* publishes, leaves the waiting flag at 1, does not ring */
	HUB_FAULT_DROP_CALL = 2,    /* the next call is counted as pending and never enqueued */
	HUB_FAULT_WRONG_PEER = 4,   /* the next call goes to the ring of wrong_peer */
	HUB_FAULT_STOP_SENDING = 8, /* raises SIGSTOP between the next publication and its bell */
	HUB_FAULT_NO_RECLAIM = 16,  /* a peer that dies is not swept (state stays DEAD) */
	HUB_FAULT_LOSE_DESCRIPTOR = 32, /* the next message in a slot: slot in flight, no descriptor */
	HUB_FAULT_SWALLOW = 64,     /* calls from there are taken and never answered */
	HUB_FAULT_ONCE = HUB_FAULT_DROP_CALL | HUB_FAULT_WRONG_PEER | HUB_FAULT_STOP_SENDING |
			 HUB_FAULT_LOSE_DESCRIPTOR,
};

struct hub_faults {
	_Atomic uint32_t peer[HUB_FAULT_PEERS]; /* enum hub_fault_bit */
	_Atomic uint32_t wrong_peer;
	_Atomic uint32_t deaf;      /* peer: takes the bell out of its own loop's epoll set */
	_Atomic uint32_t reentrant; /* peer: blocking calls inside handlers block */
	_Atomic uint32_t consume_blocked; /* peer: takes nothing while it waits for space */
	_Atomic uint32_t no_shares; /* this end's claims know no share and no last quarter */
	_Atomic uint32_t no_growth; /* classes stay at their first count */
	_Atomic uint32_t no_space;  /* claims find no room for further pages */
	void (*step)(const char *label); /* crash tests: called at each labelled step */
	/* what has happened, for "injected" lines */
	_Atomic uint64_t happened;
	/* where blocking waits that a signal ended are counted; NULL: nowhere. Set at start-up. */
	_Atomic uint64_t *interrupted;
};
extern struct hub_faults hub_faults;

/* hub_fault - is this fault on towards `peer`? Those of HUB_FAULT_ONCE are thereby used up. */
bool hub_fault(unsigned peer, uint32_t bit);
/* hub_fault_set / hub_fault_clear - switch on and off. Safety of all: MT-safe. */
void hub_fault_set(unsigned peer, uint32_t bits);
void hub_fault_clear(unsigned peer, uint32_t bits);
/* hub_fault_is - is this process-wide fault on? */
bool hub_fault_is(const _Atomic uint32_t *fault);
void hub_step(const char *label);
/* hub_slept - a blocking wait returned this, with errno when negative (it is kept). */
void hub_slept(long result);

#define HUB_FAULT(peer, bit) hub_fault((peer), (bit))
#define HUB_FAULT_IS(name)   hub_fault_is(&hub_faults.name)
#define HUB_STEP(label)      hub_step(label)
#define HUB_SLEPT(result)    hub_slept(result)

#else

#define HUB_FAULT(peer, bit) 0
#define HUB_FAULT_IS(name)   0
#define HUB_STEP(label)      ((void)0)
#define HUB_SLEPT(result)    ((void)0)

#endif
#endif
