/*
 * program - a fixture as a running process: tests talk to it by its stdin and stdout.
 *
 *	struct program prog;
 *	program_start(&prog, "locks", "two", NULL);
 *	program_expect(&prog, "ready");
 *	...
 *	program_end(&prog);
 *
 * It dies with the test. Whatever goes wrong fails the test.
 */
#ifndef SHMSCOPE_TESTS_PROGRAM_H
#define SHMSCOPE_TESTS_PROGRAM_H

#include <sys/types.h>

struct program {
	pid_t pid;
	int in, out; /* our ends of its stdin and stdout */
	char line[512]; /* the last one that was read */
};

/* A program of $B/fixture with its arguments, NULL-terminated. */
void program_start(struct program *prog, const char *fixture, ...) __attribute__((sentinel));
/* Reads its output up to a line that begins with `word`. */
void program_expect(struct program *prog, const char *word);
void program_end(struct program *prog);

#endif
