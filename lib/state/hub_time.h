/*
 * hub_time - the hub's own milliseconds as microseconds of the machine's clock.
 */
#ifndef SHMSCOPE_STATE_HUB_TIME_H
#define SHMSCOPE_STATE_HUB_TIME_H

#include <stdint.h>

/*
 * hub_time_us - a 32-bit time of a hub ("_ms", modulo 2^32) that lies before `seen_us`.
 *
 * created_us  when the hub was created.  seen_us  when the time was read.
 * ms          0: never.
 *
 * Returns CLOCK_MONOTONIC microseconds; 0 when never, or when ms makes no sense (before the
 * creation, or after seen_us by more than coarse clocks differ).
 * Safety: MT-safe.
 */
uint64_t hub_time_us(uint64_t created_us, uint64_t seen_us, uint32_t ms);

/* hub_time_long_us - the same for the 40 bits of a beat, which do not wrap. Safety: MT-safe. */
uint64_t hub_time_long_us(uint64_t created_us, uint64_t seen_us, uint64_t ms);

#endif
