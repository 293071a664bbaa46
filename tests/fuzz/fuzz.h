/*
 * fuzz - what the fuzzers share. Each is one file NAME_fuzz.c that libFuzzer drives:
 *
 *	make fuzz FUZZ=hub_live SECONDS=600	goes on where the last run ended
 *
 * It defines the two functions below and LLVMFuzzerTestOneInput(). Its first inputs are made by
 * code (`build/fuzz/NAME --seeds DIR`), what it has learnt lies in build/fuzz/corpus/NAME.
 */
#ifndef SHMSCOPE_TESTS_FUZZ_H
#define SHMSCOPE_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Before the first input. */
void fuzz_start(void);

/* Writes first inputs by fuzz_seed(). */
void fuzz_seeds(void);
void fuzz_seed(const char *name, const void *data, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A finding that is no crash: says so and aborts, so that libFuzzer keeps the input. */
void fuzz_found(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Bytes of an input, taken from the front; zeros behind its end. */
struct fuzz_bytes {
	const uint8_t *at;
	size_t left;
};
uint64_t fuzz_take(struct fuzz_bytes *b, size_t n);

/* A file in memory with these bytes; its path. Written anew by the next call. */
const char *fuzz_file(const void *data, size_t n);

#endif
