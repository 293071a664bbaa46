/*
 * hub_live - a living hub for a test: a host in this process, peers that are forks of it.
 *
 *	struct shmhub *hub = hub_live_create(NULL);
 *	const unsigned peer = hub_live_spawn(hub, "echo", child, arg);
 *	...
 *	hub_live_destroy(hub);	also checks that nothing was left behind
 */
#ifndef SHMSCOPE_HUB_LIVE_H
#define SHMSCOPE_HUB_LIVE_H

#include <stdbool.h>

#include "lib/hub/hub_priv.h"
#include "lib/hub/shmhub.h"

/* Methods that hub_live_handle() serves. */
enum {
	LIVE_ECHO = 1,   /* answers with what it got */
	LIVE_PID = 2,    /* answers with its pid_t */
	LIVE_HANG = 3,   /* never answers */
	LIVE_EXIT = 4,   /* ends without a word, status 7 */
	LIVE_SINK = 5,   /* counts; wants no answer */
	LIVE_COUNT = 6,  /* answers with how many came to LIVE_SINK (uint64_t) */
	LIVE_STATUS = 7, /* answers with the int32_t it got as status */
	LIVE_MAKE = 8,   /* answers with as many bytes (a uint32_t) of LIVE_BYTE(i) */
	LIVE_SUM = 9,    /* of the host: hub_live_serve_sum() */
};
#define LIVE_BYTE(i) ((uint8_t)((i) * 7 + 3))

/* A hub of its own name in the test's TMPDIR (else /dev/shm). config may be NULL. */
struct shmhub *hub_live_create(const struct shmhub_config *config);
/* The name that the next hub_live_create() will use. */
const char *hub_live_path(void);

unsigned hub_live_spawn(struct shmhub *hub, const char *name,
			int (*child)(const struct shmhub_peer_config *config, void *arg), void *arg);

/* A child: attaches, serves the methods above (and `more`, if given), leaves when told. */
int hub_live_echo(const struct shmhub_peer_config *config, void *more);

/* The methods above, for a child that does more than hub_live_echo(). */
void hub_live_handle(struct shmhub_peer *peer);

/* A number that tells payloads apart. */
uint32_t hub_live_sum(const void *data, size_t len);

/* hub_live_serve_sum() - the host answers LIVE_SUM with hub_live_sum() of what it got.
 * hub_live_ask_first() - echo in a peer, after asking that of the host; -EILSEQ when the two do
 * not agree, -EAGAIN when the host cannot be asked. */
void hub_live_serve_sum(struct shmhub *hub);
void hub_live_ask_first(struct shmhub_request *request, struct shmhub_peer *self);

/* Attach or end the process with a message. */
struct shmhub_peer *hub_live_attach(const struct shmhub_peer_config *config);
/* Run, detach; the exit status of a child. */
int hub_live_run(struct shmhub_peer *peer);

/* Ends the hub; fails the test when a slot is not free or a call is pending. */
void hub_live_destroy(struct shmhub *hub);

/* Slots of all classes that are not free, and calls that are pending, by the file. */
uint32_t hub_live_slots_used(const struct shmhub *hub);
uint32_t hub_live_calls_pending(const struct shmhub *hub);

/* Until cond() is true, without spinning hard; fails the test after 10 s. */
void hub_live_until(bool (*cond)(void *arg), void *arg, const char *what);
/* Until so many slots of all classes are in use. */
void hub_live_until_used(struct shmhub *hub, uint32_t slots);
/* Until the peer's state is `state`, and its incarnation at least `incarnation`. */
void hub_live_until_state(struct shmhub *hub, unsigned peer, unsigned state, unsigned incarnation);

#endif
