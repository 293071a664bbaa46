/*
 * sut_fault - the faults that hubdemo can inject, and how they are named on the command line:
 *
 *	NAME[:KEY=VALUE,...]	lost-bell:peer=search,to=host
 *
 * One table (sut_fault.c), one small function per side. The host's side is called once, by the
 * main thread, while everything is healthy and nobody talks to the target; it returns when the
 * fault is in place. The peer's side runs in the peer's handler of SUT_MISBEHAVE.
 */
#ifndef SHMSCOPE_SUT_FAULT_H
#define SHMSCOPE_SUT_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "lib/base/err.h"

struct sut_host;
struct sut_peer;
struct sut_fault_spec;

struct sut_fault {
	const char *name;
	const char *keys;  /* "in=read|futex to=peer|host": the first value is the default */
	const char *help;
	unsigned flags;
	int (*inject)(struct sut_host *host, const struct sut_fault_spec *spec, struct err *err);
	void (*act)(struct sut_peer *peer, const struct sut_fault_spec *spec);
};

enum {
	SUT_FAULT_HOST = 1,      /* no peer is concerned */
	SUT_FAULT_STUCK = 2,     /* threads of the host will never return */
	SUT_FAULT_NO_ROOM = 4,   /* others may see -ENOSPC on its account */
	SUT_FAULT_ALL_QUIET = 8, /* all traffic rests while it is put in place */
	SUT_FAULT_NO_UNPACK = 16, /* the largest slots are gone: nobody unpacks fonts any more */
};

enum { SUT_ARGS = 4, SUT_VALUE = 80 };

struct sut_fault_spec {
	const struct sut_fault *kind; /* NULL: none */
	unsigned peer;                /* set by sut_fault_target() */
	struct {
		char key[16];
		char value[SUT_VALUE];
	} arg[SUT_ARGS];
	size_t args;
};

/*
 * sut_fault_parse - "NAME:KEY=VALUE,..." ; "none" gives kind NULL.
 * Returns 0 or -EINVAL with err set.
 */
int sut_fault_parse(const char *text, struct sut_fault_spec *spec, struct err *err);

/* sut_fault_arg - the value of a key; else its default; NULL when the fault has no such key. */
const char *sut_fault_arg(const struct sut_fault_spec *spec, const char *key);

/* sut_fault_set - add or replace an argument (the host tells a peer paths that way). */
void sut_fault_set(struct sut_fault_spec *spec, const char *key, const char *value);

/* sut_fault_text - the spec as sut_fault_parse() reads it. Returns its length. */
size_t sut_fault_text(const struct sut_fault_spec *spec, char *buf, size_t size);

/*
 * sut_fault_target - find the peer that a spec names by name or id (default: search, or the
 * last peer of a smaller hub) and set spec->peer.
 * Returns 0 or -EINVAL with err set.
 */
int sut_fault_target(struct sut_fault_spec *spec, unsigned peers, struct err *err);

/* sut_fault_help - the table for --help. */
void sut_fault_help(FILE *out);

#endif
