/*
 * library - where libsigdump.so is.
 */
#ifndef SHMSCOPE_BASE_LIBRARY_H
#define SHMSCOPE_BASE_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"

/*
 * library_find - the path of libsigdump.so: what SHMSCOPE_LIB says (the file, or the directory
 * it is in), else beside this program (../lib, ../lib/TRIPLET of its directory), else where
 * programs are installed.
 *
 * path  set to an absolute path.
 * Returns 0; -ENOENT with err naming what was tried; -EINVAL for a path that LD_PRELOAD cannot
 * hold (it has a blank or a colon in it).
 * Safety: MT-safe, as long as nobody changes the environment.
 */
int library_find(char *path, size_t room, struct err *err);

/*
 * library_own_directory - where the running program lies, without the last slash: its library and
 * the other tools lie beside it. Returns false when that cannot be told. Safety: MT-safe.
 */
bool library_own_directory(char *dir, size_t room);

#endif
