/*
 * ipc - what the ipc bench asks of a transport. One bench runs them all under the same rules:
 * two processes pinned to CPU 0 and 1, the sender writes and the receiver reads every byte, by
 * the transport's own blocking calls.
 */
#ifndef SHMSCOPE_BENCH_IPC_H
#define SHMSCOPE_BENCH_IPC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ipc_shared { /* between the two processes, for counting; not part of any transport */
	_Atomic uint64_t received;   /* messages */
	_Atomic uint64_t last_ns;    /* when the last one was read */
	_Atomic uint64_t sum;        /* over all bytes read: nobody skips the reading */
	_Atomic uint64_t woke_ns;    /* parked row: when side 1 had the request */
	_Atomic uint64_t sent_ns;    /* parked row: when side 1 sends the answer */
	_Atomic uint32_t ready;
	_Atomic int32_t failed;      /* errno of either side */
	uint64_t want;               /* one way: messages to come */
	_Atomic uint32_t die;        /* enum ipc_death: where side 1 kills itself */
	_Atomic uint64_t killed_ns;  /* when a side died, ... */
	_Atomic uint64_t noticed_ns; /* ... and when side 1 knew of side 0's death */
	_Atomic int32_t side1, daemon; /* pids, for whoever cleans up after side 0 */
	bool orphan;                 /* side 1 outlives side 0 */
	bool parked;                 /* side 1 pauses before it answers, so that side 0 parks too */
};

enum ipc_death { IPC_LIVES, IPC_DIES_HOLDING, IPC_DIES_RESERVED };

struct ipc_ops {
	const char *name;
	const char *missing;         /* NULL: built in; else what to install */
	size_t max_bytes;            /* largest message; 0: no limit */
	/* Before side 1 is forked, in side 0's process. */
	int (*setup)(size_t bytes);
	/* In side 1's process: until side 0 is through (then it is killed). echo: answer each
	 * message with the same number of bytes; else count it into shared. */
	int (*serve)(struct ipc_shared *shared, size_t bytes, bool echo);
	/* In side 0's process. */
	int (*begin)(size_t bytes);
	int (*send)(size_t bytes, uint64_t seed);
	int (*receive)(size_t bytes, uint64_t *sum);
	/* Instead of fork + serve: starts side 1 itself. */
	int (*start)(struct ipc_shared *shared, size_t bytes, bool echo);
	void (*teardown)(void);
	/* One host, many peers, `depth` calls of 64 bytes under way at each; calls per second. */
	double (*many)(unsigned peers, unsigned depth, double seconds);
	/* Cleans up after a side 0 that was killed; NULL: nothing to do. */
	void (*after_death)(struct ipc_shared *shared);
	bool has_deaths;             /* side 1 dies where it is told to */
};

extern const struct ipc_ops ipc_shmhub, ipc_futex, ipc_bell, ipc_bare, ipc_seqpacket, ipc_stream, ipc_pipe, ipc_mq,
	ipc_zmq, ipc_nng, ipc_iceoryx;

extern struct ipc_shared *ipc_pair; /* of the pair that is measured */

/* ipc_fill - store to each byte; ipc_sum - load each byte. */
void ipc_fill(void *buf, size_t bytes, uint64_t seed);
uint64_t ipc_sum(const void *buf, size_t bytes);
/* ipc_count - side 1 has read a message. */
void ipc_count(struct ipc_shared *shared, uint64_t sum);
/* ipc_die - side 1 is at that point: it dies there if it was told so. */
void ipc_die(struct ipc_shared *shared, enum ipc_death at);
/* ipc_pause - side 1, parked row: note the time, wait until side 0 has parked, note again. */
void ipc_pause(struct ipc_shared *shared);

/* ipc_hub.c: what only libshmhub is asked. Negative or 0: it could not be measured. */
enum ipc_misdeed { IPC_STOPS, IPC_SWALLOWS, IPC_HOARDS };
double ipc_hub_idle(unsigned peers);       /* ms of CPU per second, of all processes */
double ipc_hub_idle_kib(unsigned peers);
double ipc_hub_punch_s(unsigned messages);
double ipc_hub_threads(unsigned threads, double seconds);
double ipc_hub_disturbed(enum ipc_misdeed misdeed, double seconds);

#endif
