/*
 * sut_message - what travels between host and peers, and how both sides know that it is whole.
 *
 * Every message begins with a head that names its lane and its number in that lane; the bytes
 * after it follow from the head, so a receiver knows each of them. Lanes: towards a peer, one
 * per host thread, and in one lane messages arrive in order. Towards the host, one per peer and
 * incarnation; the host's handlers run on several threads, so order is not required there.
 */
#ifndef SHMSCOPE_SUT_MESSAGE_H
#define SHMSCOPE_SUT_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sut_kind {
	SUT_REQUEST = 0x51455251,
	SUT_ANSWER = 0x52534e41,
	SUT_NOTE = 0x45544f4e,
	SUT_FRAME = 0x454d5246, /* of a stream; numbered in it, from 1 */
};

struct sut_head {
	uint32_t kind;         /* enum sut_kind */
	uint32_t lane;
	uint64_t number;       /* 1, 2, ... in its lane */
	uint32_t answer_bytes; /* wanted back; of a stream: frames */
	uint32_t ask_bytes;    /* the peer shall ask the host for so many first; 0: nothing */
	uint64_t check;        /* over the head and the length */
};

/*
 * sut_message_fill - make a message of `len` bytes (at least a head) at `data`.
 * head->check is ignored and written.
 * Safety: MT-safe.
 */
void sut_message_fill(void *data, size_t len, const struct sut_head *head);

/*
 * sut_message_check - verify a message and copy its head. Reads each byte once.
 * Returns 0; -EBADMSG when any byte is not what it was.
 * Safety: MT-safe.
 */
int sut_message_check(const void *data, size_t len, struct sut_head *head);

/* What a number that arrived means for the lane it came in. */
struct sut_arrival {
	uint64_t lost;       /* numbers that must be missing by now */
	uint64_t duplicated; /* 0 or 1 */
};

/* sut_lane_next - in-order lane: *next is the number expected, 0 before the first message. */
struct sut_arrival sut_lane_next(uint64_t *next, uint64_t number);

enum { SUT_WINDOW = 1024 };

/* Any-order lane: numbers may arrive up to SUT_WINDOW late. A higher lane number replaces it. */
struct sut_window {
	uint32_t lane;
	uint64_t base;                    /* the oldest number that may still come */
	uint64_t seen[SUT_WINDOW / 64];   /* bit (number % SUT_WINDOW) */
};

/*
 * sut_window_mark - a number arrived. Stragglers of an earlier lane are taken as they come: that
 * incarnation is over.
 * Safety: one-owner.
 */
struct sut_arrival sut_window_mark(struct sut_window *w, uint32_t lane, uint64_t number);

#endif
