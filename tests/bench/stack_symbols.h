/*
 * stack_symbols - 5000 program counters of one large library, with their inlined calls, named by
 * us and by addr2line, eu-addr2line and llvm-symbolizer: time of the whole process and its memory.
 */
#ifndef SHMSCOPE_STACK_SYMBOLS_H
#define SHMSCOPE_STACK_SYMBOLS_H

#include "tests/bench/bench.h"

enum { SYMBOLS_ROWS = 5 };

/* Fills up to SYMBOLS_ROWS rows; returns how many: none when there is no such library. */
unsigned symbols_measure(unsigned rounds, struct bench_row *row);

/* symbols_main - what the program does when it was run again for this; never returns then. */
void symbols_main(int argc, char **argv);

#endif
