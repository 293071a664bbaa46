/*
 * as_restart - may a system call that was interrupted be begun again?
 */
#ifndef SHMSCOPE_AS_RESTART_H
#define SHMSCOPE_AS_RESTART_H

#include <stdbool.h>

/*
 * as_restart_may - of the calls that the kernel does not begin again by itself once they were
 * interrupted: those that have done nothing yet when they give EINTR.
 * Safety: AS-safe, MT-safe, wait-free.
 */
bool as_restart_may(long nr);

#endif
