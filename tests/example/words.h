/*
 * words - what the examples do: a peer that counts words, and a host that sends it some.
 *
 * One host (words_host.c), and the same peer in several loops: words_run.c in the library's own,
 * words_epoll.c in a plain epoll loop, words_uv.c in libuv's; words_cxx.cc is the peer in C++.
 * They use what a stranger has: the public headers and libshmhub.so.
 */
#ifndef WORDS_H
#define WORDS_H

#include <shmhub.h>
#include <shmhub_codec.h>

enum { /* methods of the peer */
	WORDS_ADD = 1,   /* notification: an array of strings, each to be counted */
	WORDS_COUNT = 2, /* a string; answered with how often its base form was counted */
	WORDS_LIST = 3,  /* nothing; answered with an array of {string, number} */
};
enum { /* methods of the host */
	WORDS_BASE = 100, /* a string; answered with its base form (all lower case) */
};
enum {
	WORDS_TEXT = 32,     /* bytes of a word, its NUL included */
	WORDS_HOST_GONE = 3, /* exit status of a peer that lost its host */
};

/* words_attach - join the hub that argv tells of, serve the methods above; ends the process with
 * a message when that fails. */
struct shmhub_peer *words_attach(int argc, char **argv);

/* words_end - leave. why: the last result of the loop. Says it, and returns the exit status. */
int words_end(struct shmhub_peer *peer, int why);

#endif
