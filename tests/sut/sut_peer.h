/*
 * sut_peer - what a peer's files share. A peer is one thread: an event loop of its own around
 * the doorbell, and handlers.
 */
#ifndef SHMSCOPE_SUT_PEER_H
#define SHMSCOPE_SUT_PEER_H

#include "lib/hub/shmhub.h"
#include "tests/sut/sut.h"
#include "tests/sut/sut_host.h"
#include "tests/sut/sut_message.h"
#include "tests/sut/sut_tally.h"

struct sut_peer {
	struct shmhub_peer *hub;
	struct sut_tally *tally;
	unsigned id;
	int epoll_fd;
	uint32_t incarnation;
	uint64_t next[SUT_LANES];  /* number expected, by lane of the host */
	uint64_t number;           /* of our last message to the host */
	uint64_t work;             /* requests so far */
	unsigned slow_ms;          /* faults: each message takes so long; */
	unsigned notes_after_answer; /* the next answer is followed by so many; */
	unsigned ask_method;       /* what the host is asked for instead of SUT_READ */
	unsigned char *scratch;
};

/* sut_peer_head - the head of our next message to the host. */
struct sut_head sut_peer_head(struct sut_peer *peer, uint32_t kind, size_t answer_bytes);

/* sut_peer_arrived - verify a message of the host and judge its number. Returns 0 or -EBADMSG. */
int sut_peer_arrived(struct sut_peer *peer, struct shmhub_request *request, struct sut_head *head);

/* sut_peer_slept - a blocking wait of the peer's own returned: count it if interrupted. */
void sut_peer_slept(struct sut_peer *peer, int error);

#endif
