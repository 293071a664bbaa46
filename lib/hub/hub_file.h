/*
 * hub_file - the hub as a file: made, published, found again, proven dead, removed.
 *
 * A hub is alive while its host holds a write lock (open file description lock) on it. The
 * kernel drops the lock when the host ends, however it ends.
 */
#ifndef SHMSCOPE_HUB_FILE_H
#define SHMSCOPE_HUB_FILE_H

#include <limits.h>
#include <stdbool.h>

#include "lib/base/err.h"
#include "lib/hub/hub_layout.h"
#include "lib/hub/hub_map.h"

/*
 * hub_file_create - make the file, lock it, back its tables, publish it.
 *
 * config  name, path or memfd, and the limits.
 * map     filled on 0; hub_map_close() ends it and lets the lock go.
 * path    where others open it ("/proc/PID/fd/N" for a memfd).
 *
 * Built under a temporary name, which a crash leaves behind until the next create of the same
 * hub; published without replacing anything. A dead hub in its place is removed first, under
 * a lock file beside it.
 *
 * Returns 0; -EBUSY, -EEXIST, -ENOSPC, -EFBIG, -EINVAL, open()'s errors; err set.
 * Safety: MT-safe, may block.
 */
int hub_file_create(const struct shmhub_config *config, struct hub_map *map, char path[PATH_MAX],
		    struct err *err);

/* hub_file_remove - unlink `path` if it still is the file in `map`. Safety: MT-safe. */
void hub_file_remove(const char *path, const struct hub_map *map);

/*
 * hub_file_attach - open and map an existing hub whose host is alive.
 * Returns 0; -ENOENT when there is none (yet), -EAGAIN when its host is dead or has not
 * published it; other errors are final; err set. Safety: MT-safe.
 */
int hub_file_attach(const char *path, struct hub_map *map, struct err *err);

/* hub_file_back - make pages exist for [offset, offset + bytes), once and for all.
 * Returns 0, -ENOSPC (also for EFBIG), or what fallocate() says. Safety: MT-safe, may block. */
int hub_file_back(int fd, uint64_t offset, uint64_t bytes);

/* hub_file_heal - host: write the constants of the file again (header, class sizes), should a peer
 * gone wild have overwritten them: the next one to attach needs them. Safety: one-owner. */
void hub_file_heal(const struct hub_map *map);

/* hub_file_is_locked - does a host hold this hub? Safety: MT-safe. */
bool hub_file_is_locked(int fd);

/* hub_file_boot_id - of this machine. False when /proc has none. Safety: MT-safe. */
bool hub_file_boot_id(uint8_t id[16]);

#endif
