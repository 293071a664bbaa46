/*
 * t - the test harness.
 *
 *	TEST(a_name_that_is_the_sentence_which_is_false_when_it_fails)
 *	{
 *		T_EQ(got(), 42);
 *	}
 *
 * Each TEST runs in a process of its own, so a crash or a leaked thread fails that test
 * alone. A test program exits 0 when all passed, 77 when all that did not pass were skipped,
 * else 1. `PROGRAM NAME...` runs only the named tests. The runner adds the time limit.
 */
#ifndef SHMSCOPE_T_H
#define SHMSCOPE_T_H

#include <stdint.h>
#include <stdio.h>

struct t_test {
	const char *name;
	void (*run)(void);
	struct t_test *next;
};

void t_register(struct t_test *test);
void t_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), noreturn));
void t_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
void t_eq(const char *file, int line, const char *what, int64_t got, int64_t want);
void t_str(const char *file, int line, const char *what, const char *got, const char *want);
void t_has(const char *file, int line, const char *what, const char *got, const char *part);

#define TEST(name)                                                              \
	static void name(void);                                                 \
	__attribute__((constructor)) static void t_register_##name(void)        \
	{                                                                       \
		static struct t_test test = { #name, name, NULL };              \
		t_register(&test);                                              \
	}                                                                       \
	static void name(void)

#define T_OK(cond)       ((cond) ? (void)0 : t_fail(__FILE__, __LINE__, "not true: %s", #cond))
#define T_EQ(got, want)  t_eq(__FILE__, __LINE__, #got, (int64_t)(got), (int64_t)(want))
#define T_STR(got, want) t_str(__FILE__, __LINE__, #got, (got), (want))
#define T_HAS(got, part) t_has(__FILE__, __LINE__, #got, (got), (part))
#define T_FAIL(...)      t_fail(__FILE__, __LINE__, __VA_ARGS__)

/* Seed for random tests: from T_SEED or the clock; always printed, so that a failure repeats. */
uint64_t t_seed(void);
/* The next number of a stream that began with a seed (any but 0): xorshift64. */
uint64_t t_random(uint64_t *state);
/* The tests of this program; a program with a main() of its own calls it. */
int t_run(int argc, char **argv);
/* Work factor for long tests: T_LENGTH (default 1). */
unsigned t_length(void);

#endif
