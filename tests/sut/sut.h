/*
 * sut - what the files of hubdemo share: its configuration, its methods, its tally.
 *
 * hubdemo is the system under test: one host and N peers, which are processes of their own
 * (hubdemo again, as "hubdemo peer"). They call each other through libshmhub with sequence
 * numbers and checksums that both sides verify, until a fault is injected on purpose.
 *
 *	hubdemo.c       picks the role
 *	sut_options.c   command line -> struct sut_config
 *	sut_message.c   what messages look like, and how they are verified
 *	sut_tally.c     counters in memory shared by host and peers, so that a killed peer's count
 *	sut_host.c      the host: starts the peers, injects, ends everything, reports
 *	sut_link.c      one link of the host to a peer: who may use it now, what went through it
 *	sut_traffic.c   the host's threads and what they ask of the peers
 *	sut_peer.c      a peer: its event loop and handlers
 *	sut_look.c      rings and flags as the hub file shows them
 *	sut_fault.c     the table of faults; fault_*.c are the faults
 */
#ifndef SHMSCOPE_SUT_H
#define SHMSCOPE_SUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "tests/sut/sut_fault.h"

enum {
	SUT_PEERS_DEFAULT = 16,
	SUT_PEERS_MAX = 1024,
	SUT_THREADS_DEFAULT = 8,
	SUT_THREADS_MAX = 256,
	SUT_CROWD_MAX = 1000,
	SUT_FAULTS_MAX = 16,
	SUT_NAME = 48,
};

/* Methods. The host calls the first group, peers the second. */
enum sut_method {
	SUT_RENDER = 1, /* a call; the peer may ask the host for something before it answers */
	SUT_UNPACK,     /* the same with 1.5 MB in and 10 MB out: the fonts */
	SUT_STREAM,     /* a call with frames in and frames out */
	SUT_CHANGED,    /* a notification */
	SUT_MISBEHAVE,  /* a notification whose text is a fault for the peer to begin with */
	SUT_KEEP,       /* a call that is never answered, and whose payload is kept */

	SUT_READ = 32,  /* a call to the host: so many bytes please */
	SUT_PROGRESS,   /* a notification to the host */
	SUT_LOCKED,     /* a call to the host whose handler needs a mutex of the host */
	SUT_AGAIN,      /* a call to the host whose handler calls that same peer */
};

struct sut_config {
	char self[4096];         /* this program's file, to execute it again */
	const char *hub, *feed;
	unsigned peers, host_threads, crowd;
	uint64_t seconds_ns;     /* 0: until SIGTERM */
	uint64_t inject_after_ns;
	uint64_t restart_every_ns; /* 0: never */
	uint64_t seed;
	bool restart, idle, preload;
	const char *interval, *growth_min, *sample; /* handed to the preloaded library; NULL */
	struct sut_fault_spec fault[SUT_FAULTS_MAX];
	size_t faults;
};

/*
 * sut_options - the command line.
 * Returns 0; 1 when all was said (--help); -EINVAL with err set.
 * Safety: one-owner.
 */
int sut_options(int argc, char **argv, struct sut_config *config, struct err *err);

/* sut_peer_name - "fonts", "images", ...; from the seventeenth on "plugin-17". Returns buf. */
const char *sut_peer_name(unsigned peer, char buf[SUT_NAME]);

/* sut_host_main - the host's whole life; argv to execute itself anew. Returns the exit status. */
int sut_host_main(const struct sut_config *config, char **argv);

/* sut_peer_main - a peer's whole life: "hubdemo peer ...". Returns the exit status. */
int sut_peer_main(int argc, char **argv);

#endif
