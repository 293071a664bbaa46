/*
 * source - where states come from. Each kind of input is one source; shminspect, shmtop and
 * sigdump know only this interface.
 *
 *	struct source *src;
 *	source_open_path("demo.hub", &options, &src, &err);      file: hub, feed, directory of feeds
 *	source_open_live(&options, &src, &err);                   running processes and hubs
 *	while ((r = source_next(src, &st, &err)) == 1) { judge; draw; state_fini(&st); }
 *	source_close(src);
 *
 * Several paths given together (source_open_paths) are merged: feeds of a family and the hub
 * file beside them give states in which everything known at that moment stands together.
 *
 * A dump gives two states, one for each look at the transport. What its threads did was looked
 * at between the two and stands in both. What an earlier dump saw of other processes and hubs
 * stands there too, marked as carried (state.h). A hub file comes last of all: its state
 * describes the moment of reading while its host lives, else the last sign of life in it. A
 * peer whose rings and beat stand there exactly as in its last dump has not moved since: its
 * process then counts as looked at.
 */
#ifndef SHMSCOPE_STATE_SOURCE_H
#define SHMSCOPE_STATE_SOURCE_H

#include "lib/state/state.h"

struct source;

struct source_options {
	const char *const *hubs;   /* live: hub paths; NULL-terminated; NULL: find this user's */
	const int32_t *pids;       /* live: further processes; 0-terminated; NULL */
	uint64_t since_us, until_us; /* CLOCK_REALTIME, 0 open: states outside are not returned */
	uint64_t recent_bytes;     /* feeds: of what lies before the last so many bytes, read only
				      the dictionaries; 0: everything */
	bool read_only;            /* live: nothing that perturbs: PEEK only (so far it never does
				      more: threads that run have no stack) */
	bool stacks;               /* live: capture threads' stacks by PEEK */
	bool messages;             /* hub files: list the last messages of each ring */
	bool slots;                /* hub files: list every slot that is not free */
	bool bells;                /* live: ask for unread bell bytes (sock_diag) */
};

/*
 * source_open_paths - files: hub files, feeds, directories (the feeds in them), told apart by
 * content. A file that cannot be used fails with the error text of its kind ("PATH: not a hub
 * file (starts with 7f 45 4c 46, an ELF object)") and -ENOENT, -EACCES, -EBADMSG...; one that
 * is damaged but usable succeeds and says so in state->input[].note.
 * src   returned; release with source_close().
 * Returns 0 or negative errno with err set. Safety: one-owner.
 */
int source_open_paths(const char *const *paths, const struct source_options *options,
		      struct source **src, struct err *err);

/*
 * source_open_live - the running machine: hubs found in /dev/shm and named ones, their hosts
 * and peers, looked at without touching them.
 * Returns 0; -ENOENT with err set when there is no hub and no process to look at.
 * Safety: one-owner.
 */
int source_open_live(const struct source_options *options, struct source **src, struct err *err);

/*
 * source_next - fill `st` with the next state in time (files), or with now (live).
 * st   initialised by the call; give back with state_fini().
 * Returns 1 with a state; 0 at the end (files only); negative errno with err set.
 * Safety: one-owner; live: may block for milliseconds on /proc.
 */
int source_next(struct source *src, struct state *st, struct err *err);

/* source_close - NULL is fine. Safety: one-owner. */
void source_close(struct source *src);

#endif
