/* proc_syscall - the names of system calls of this architecture. */
#ifndef SHMSCOPE_PROC_SYSCALL_H
#define SHMSCOPE_PROC_SYSCALL_H

/* proc_syscall_name - "epoll_wait"; NULL for a number the build's kernel headers do not know. Safety: MT-safe. */
const char *proc_syscall_name(long nr);

#endif
