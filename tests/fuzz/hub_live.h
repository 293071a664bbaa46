/* Methods that the live-host fuzzer and its peer program know. */
#ifndef SHMSCOPE_TESTS_FUZZ_HUB_LIVE_H
#define SHMSCOPE_TESTS_FUZZ_HUB_LIVE_H

enum { FUZZ_ECHO = 1, FUZZ_TALK, FUZZ_STREAM, FUZZ_NOTE };

#endif
