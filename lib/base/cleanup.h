/*
 * cleanup - scope-bound release, for functions with several ways out.
 *
 *	CLOSES int fd = open(...);       closed at scope end if >= 0
 *	FREES char *text = strdup(...);  freed at scope end
 *	FCLOSES FILE *f = fopen(...);    fclose()d if not NULL
 *
 * To hand a resource on, use take_fd(&fd) / take_ptr(&p): the scope then lets go.
 */
#ifndef SHMSCOPE_BASE_CLEANUP_H
#define SHMSCOPE_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define CLOSES  __attribute__((cleanup(cleanup_close)))
#define FREES   __attribute__((cleanup(cleanup_free)))
#define FCLOSES __attribute__((cleanup(cleanup_fclose)))

static inline int take_fd(int *fd)
{
	const int taken = *fd;

	*fd = -1;
	return taken;
}

#define take_ptr(p)                          \
	({                                   \
		__typeof__(*(p)) _t = *(p);  \
		*(p) = NULL;                 \
		_t;                          \
	})

#endif
