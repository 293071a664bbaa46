/*
 * sut_tally - what each side counted, in memory that host and peers share (a memfd), so that
 * the count of a peer that hangs or was killed is there at the end.
 */
#ifndef SHMSCOPE_SUT_TALLY_H
#define SHMSCOPE_SUT_TALLY_H

#include <stdatomic.h>
#include <stdint.h>

#include "lib/base/err.h"

/* Of one process; entry 0 is the host. Writer: that process alone. */
struct sut_tally {
	_Alignas(128) _Atomic uint64_t eintr; /* blocking waits that ended with EINTR */
	_Atomic uint64_t verified;   /* messages that arrived whole */
	_Atomic uint64_t received;   /* of those, the ones that count as sent by the other side */
	_Atomic uint64_t sent;       /* to the host, of which it must receive each */
	_Atomic uint64_t lost, duplicated, corrupt;
	_Atomic uint64_t failed;     /* calls that ended because the other side died */
	_Atomic uint64_t unallocated; /* slots that could not be had, over all incarnations */
	_Atomic uint32_t incarnation;
	_Atomic uint32_t no_room;    /* written by the host: a fault makes -ENOSPC no loss */
};

/*
 * sut_tally_create - zeroed, for `peers` peers and the host. Never unmapped: it lasts as long as
 * the process. *fd is set; peers open it as /proc/PID/fd/FD.
 * Returns 0 or a negative errno with err set.
 */
int sut_tally_create(unsigned peers, struct sut_tally **tally, int *fd, struct err *err);

/* sut_tally_open - the entry of peer `id` in the file at `path`. Errors as above. */
int sut_tally_open(const char *path, unsigned id, struct sut_tally **entry, struct err *err);

/* sut_count - relaxed: lone counters, read when everything has ended. Safety: MT-safe. */
static inline void sut_count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static inline uint64_t sut_read(_Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
