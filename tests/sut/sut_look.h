/*
 * sut_look - rings and flags of the hub as its file shows them: the faults wait until they are
 * really in place, and ask nobody who takes part.
 */
#ifndef SHMSCOPE_SUT_LOOK_H
#define SHMSCOPE_SUT_LOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/hub/hub_format.h"

enum { SUT_LOOK_CLASS = 2 }; /* of 256 KiB */

struct sut_look {
	int fd;
	struct hub_header header;
};

struct sut_look_peer {
	uint32_t state;          /* enum hub_peer_state */
	uint32_t asleep;         /* the peer's announcement */
	uint32_t host_asleep;
	uint64_t recv_waiting, send_waiting; /* messages */
	uint64_t recv_cells, send_cells;     /* the same in cells */
	uint64_t recv_bells;
	uint32_t recv_sending, send_sending;
	uint32_t ring_cells;
	uint32_t calls_pending;
	uint32_t slots;          /* of SUT_LOOK_CLASS: in its hands, or on the way */
};

/* sut_look_open - Returns 0 or a negative errno with err set. */
int sut_look_open(struct sut_look *look, const char *path, struct err *err);
void sut_look_close(struct sut_look *look);

/* sut_look_peer - Returns 0, or -EBADMSG when the file holds no such peer. */
int sut_look_peer(const struct sut_look *look, unsigned peer, struct sut_look_peer *seen);

/* sut_look_section - the table of this kind and index; NULL when the file has none. */
const struct hub_section *sut_look_section(const struct sut_look *look, uint32_t kind,
					   uint32_t index);

#endif
