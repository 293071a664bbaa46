/*
 * as_diag - what the kernel says of one AF_UNIX socket, by its inode: sock_diag(7).
 */
#ifndef SHMSCOPE_AS_DIAG_H
#define SHMSCOPE_AS_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * as_diag_unix - one attribute of one socket of this network namespace.
 *
 * diag        a NETLINK_SOCK_DIAG socket; -1: none
 * show        UDIAG_SHOW_*: what the kernel is asked to tell
 * type        UNIX_DIAG_*: the attribute in its answer
 * value, len  set on true: the first bytes of it
 *
 * Safety: AS-safe, one-owner of diag; never blocks.
 */
bool as_diag_unix(int diag, uint64_t inode, uint32_t show, uint16_t type, void *value, size_t len);

#endif
