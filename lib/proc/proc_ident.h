/*
 * proc_ident - which machine, boot and pid namespace a pid belongs to.
 *
 * In every container there is a pid 1, and after a reboot pids start again: feeds and hubs
 * carry these beside the pid.
 */
#ifndef SHMSCOPE_PROC_IDENT_H
#define SHMSCOPE_PROC_IDENT_H

#include <stdint.h>
#include <sys/types.h>

#include "lib/base/err.h"

enum { PROC_BOOT_ID = 37, PROC_HOSTNAME = 65 };

/*
 * proc_boot_id - the kernel's random id of this boot, "xxxxxxxx-xxxx-...", or "" with the
 * error when /proc does not say. Safety: MT-safe.
 */
int proc_boot_id(char id[PROC_BOOT_ID], struct err *err);

/* proc_hostname - nodename of uname(2), cut to fit. Safety: MT-safe. */
void proc_hostname(char name[PROC_HOSTNAME]);

/*
 * proc_pidns - inode of the pid namespace of a process (0: our own process).
 * Returns 0; -ESRCH, -EACCES (needs the rights of ptrace(2) reading). Safety: MT-safe.
 */
int proc_pidns(pid_t pid, uint64_t *inode, struct err *err);

#endif
