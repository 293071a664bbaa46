/*
 * hub_build - hub files for tests, made without libshmhub: sound ones, and ones that a test
 * damages by saying what is wrong with them.
 *
 *	struct hub_build b;
 *	hub_build_open(&b, 3);                              peers 1 to 3, live, idle
 *	hub_build_put(&b, 2, HUB_RECV, 1);                  a message waits for peer 2
 *	hub_build_ring(&b, 2, HUB_RECV)->tail = 1 << 20;    and its tail is wild
 *	... read b.path ...
 *	hub_build_close(&b);
 *
 * The file is $TMPDIR/demo.hub. It was created 100 s ago by this very process, on this boot. It
 * has rings of 16 cells, 8 calls, 2 classes: 0 of 64 slots of 1K (room for 512), 1 of 8 of 64K.
 */
#ifndef SHMSCOPE_TESTS_HUB_BUILD_H
#define SHMSCOPE_TESTS_HUB_BUILD_H

#include <stddef.h>
#include <stdint.h>

#include "lib/hub/hub_format.h"

enum {
	HUB_BUILD_CELLS = 16,
	HUB_BUILD_CALLS = 400,
	HUB_BUILD_AGE_MS = 100000, /* so long ago the hub was created */
};

struct hub_build {
	char path[300];
	int lock;                  /* hub_build_lock() */
	size_t bytes;
	uint8_t *at;               /* the file, mapped */
	struct hub_header *header;
};

void hub_build_open(struct hub_build *b, unsigned peers);
void hub_build_close(struct hub_build *b);

/* The checksum, after a change to the header that is meant to be sound. */
void hub_build_seal(struct hub_build *b);

/* A host holds the hub. */
void hub_build_lock(struct hub_build *b);

/* Cut the file to so many bytes. The mapping is gone then: only hub_build_close() may follow. */
void hub_build_cut(struct hub_build *b, uint64_t bytes);

struct hub_section *hub_build_section(struct hub_build *b, unsigned kind, unsigned index);
struct hub_host *hub_build_host(struct hub_build *b);
struct hub_peer *hub_build_peer(struct hub_build *b, unsigned id);
struct hub_ring *hub_build_ring(struct hub_build *b, unsigned peer, unsigned dir);
struct hub_cell *hub_build_cell(struct hub_build *b, unsigned peer, unsigned dir, uint64_t position);
struct hub_class *hub_build_class(struct hub_build *b, unsigned i);
struct hub_slot *hub_build_slot(struct hub_build *b, unsigned klass, unsigned i);
struct hub_call *hub_build_call(struct hub_build *b, unsigned by, unsigned i);

/* Slot i of class 0 has been in these hands for so long: HUB_TO_PEER, ..., HUB_SLOT_HELD, ... */
void hub_build_give(struct hub_build *b, unsigned i, unsigned peer, unsigned direction,
		    unsigned state, unsigned age_ms);

/*
 * hub_build_crowd - opened, and with more slots of class 0 in the hands of peer 1 than any look
 * lists; then, younger, four of peer 2: two sent to it, one that it sent, one that it holds.
 */
enum {
	HUB_CROWD_MANY = 400,
	HUB_CROWD_SENT = HUB_CROWD_MANY, HUB_CROWD_LATER, HUB_CROWD_ANSWER, HUB_CROWD_HELD,
	HUB_CROWD_ALL,
};
void hub_build_crowd(struct hub_build *b);

/*
 * hub_build_put - write a message of 1 to 4 cells at the head of a ring and publish it: call
 * 65537, method 2, 10 bytes of payload in the ring. Times are HUB_BUILD_AGE_MS - 8000.
 * hub_build_take - its consumer takes the next message.
 */
void hub_build_put(struct hub_build *b, unsigned peer, unsigned dir, unsigned cells);
void hub_build_take(struct hub_build *b, unsigned peer, unsigned dir);

#endif
