/*
 * feed_build - feeds for tests, line by line.
 *
 *	feed_build_begin(&b, "search", 4112, 77);
 *	feed_build_dump(&b, 1, 0x7b, 2000000);
 *	feed_build_line(&b, "{'v':1,'t':'look','d':1,'look':1,'mono_us':2000001}");
 *	feed_build_end(&b);
 *
 * Lines are written with ' for ", so that they can be read.
 */
#ifndef SHMSCOPE_TESTS_FEED_BUILD_H
#define SHMSCOPE_TESTS_FEED_BUILD_H

#include <stdint.h>
#include <stdio.h>

struct feed_build {
	FILE *f;
	char path[300];
	int pid;
};

#define FEED_BUILD_BOOT "01234567-89ab-cdef-0123-456789abcdef"
enum { FEED_BUILD_CREATED_US = 500000 }; /* when the hubs of feed_build_hub() were created */

/* A new feed $TMPDIR/feeds/NAME-PID-1.ndjson with its first line, of the boot FEED_BUILD_BOOT;
 * its CLOCK_REALTIME is 1700000000 s ahead. */
void feed_build_begin(struct feed_build *b, const char *name, int pid, uint64_t start);
/* The same of another boot, whose monotonic clock is `later_us` behind in the same real time. */
void feed_build_begin_boot(struct feed_build *b, const char *name, int pid, uint64_t start,
			   const char *boot, uint64_t later_us);
void feed_build_end(struct feed_build *b);

void feed_build_line(struct feed_build *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The beginning of a dump, a look, a hub of id 0xfeed, one of its peers with both rings idle but
 * for the recv ring's positions, a thread with a stack that was written before, the end. */
void feed_build_dump(struct feed_build *b, int d, uint64_t family, uint64_t mono_us);
void feed_build_look(struct feed_build *b, int d, int look, uint64_t mono_us);
void feed_build_hub(struct feed_build *b, int d, int look, const char *role, int peer);
void feed_build_peer(struct feed_build *b, int d, int look, int peer, const char *name, int pid,
		     uint64_t start);
void feed_build_ring(struct feed_build *b, int d, int look, int peer, const char *dir,
		     uint64_t head, uint64_t tail, int bell);
void feed_build_thread(struct feed_build *b, int d, int tid, int sys, int stack);
void feed_build_done(struct feed_build *b, int d, uint64_t mono_us);

/* $TMPDIR/feeds, made; and removed with everything in it. */
const char *feed_build_dir(void);
void feed_build_clean(void);

#endif
