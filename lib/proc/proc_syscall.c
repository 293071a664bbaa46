#include "lib/proc/proc_syscall.h"

#include <stddef.h>

/* Lines `[0] = "read",` made by the Makefile from the kernel headers. */
static const char *const names[] = {
#include <syscall_names.inc>
};

const char *proc_syscall_name(long nr)
{
	return nr >= 0 && nr < (long)(sizeof(names) / sizeof(*names)) ? names[nr] : NULL;
}
