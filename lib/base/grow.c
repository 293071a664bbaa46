#include "lib/base/grow.h"

#include <stdlib.h>
#include <string.h>

bool grow(void **array, size_t n, size_t *room, size_t element_bytes)
{
	if (n < *room)
		return true;
	const size_t more = *room ? *room * 2 : 8;

	if (more <= *room)
		return false;
	char *bigger = reallocarray(*array, more, element_bytes);

	if (!bigger)
		return false;
	memset(bigger + *room * element_bytes, 0, (more - *room) * element_bytes);
	*array = bigger;
	*room = more;
	return true;
}
