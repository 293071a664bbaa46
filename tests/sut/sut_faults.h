/*
 * sut_faults - the sides of each fault, for the table in sut_fault.c. fault_WHERE.c has those
 * whose cause lies there. inject_*: the host's side; act_*: the peer's, in its handler.
 */
#ifndef SHMSCOPE_SUT_FAULTS_H
#define SHMSCOPE_SUT_FAULTS_H

#include "tests/sut/sut_fault.h"

#define SUT_INJECT(name) \
	int inject_##name(struct sut_host *host, const struct sut_fault_spec *spec, struct err *err)
#define SUT_ACT(name) void act_##name(struct sut_peer *peer, const struct sut_fault_spec *spec)

/* fault_bell.c: the message is there, and nobody comes */
SUT_INJECT(lost_bell);
SUT_ACT(lost_bell);
SUT_INJECT(deaf_peer);
SUT_ACT(deaf_peer);
SUT_INJECT(stopped_sender);
SUT_ACT(stopped_sender);

/* fault_handler.c: a peer's handler does not come back */
SUT_INJECT(stuck_handler);
SUT_ACT(spinning_peer);
SUT_INJECT(blocked_peer);
SUT_ACT(blocked_peer);
SUT_INJECT(frozen_beat);
SUT_ACT(frozen_beat);
SUT_INJECT(slow_peer);
SUT_ACT(slow_peer);

/* fault_process.c: a peer is stopped or killed from outside */
SUT_INJECT(stopped_peer);
SUT_INJECT(killed_peer);
SUT_ACT(killed_peer);

/* fault_call.c: a call that is never answered */
SUT_INJECT(wrong_peer);
SUT_INJECT(dropped_call);
SUT_INJECT(no_replies);
SUT_INJECT(reentrant_call);
SUT_ACT(reentrant_call);
SUT_INJECT(lock_call_cycle);
SUT_ACT(lock_call_cycle);
SUT_INJECT(full_both);
SUT_ACT(full_both);

/* fault_slot.c: payload memory */
SUT_INJECT(hoarder);
SUT_INJECT(lost_descriptor);
SUT_INJECT(disk_full);

/* fault_thread.c: threads of the host, no hub needed */
SUT_INJECT(deadlock);
SUT_INJECT(dead_owner);
SUT_INJECT(lost_futex_wake);

/* fault_file.c: bytes of the file that nobody should have written */
SUT_INJECT(corrupt);

#endif
