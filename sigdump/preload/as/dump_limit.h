/*
 * dump_limit - files are sized and written in threads of the program only between these two: past
 * RLIMIT_FSIZE the kernel sends SIGXFSZ beside its error, which would end the program. It stays
 * blocked, and is taken back if it is ours.
 *
 * (The dumper has all signals blocked for ever and needs neither.)
 * Safety: AS-safe, MT-safe, wait-free.
 */
#ifndef SHMSCOPE_PRELOAD_DUMP_LIMIT_H
#define SHMSCOPE_PRELOAD_DUMP_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct dump_limit {
	uint64_t mask; /* of the thread, before */
	bool pending;  /* one waited already: the program's */
};

void dump_limit_begin(struct dump_limit *limit);
void dump_limit_end(const struct dump_limit *limit);

#endif
