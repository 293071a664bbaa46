#include "lib/base/exit_code.h"

#include <errno.h>

enum exit_code exit_code_of(const struct err *err)
{
	switch (-err->code) {
	case EEXIST:
		return EXIT_USAGE; /* an output that wants --force */
	case EBADMSG:
	case EPROTO:
	case EINVAL:
	case ENODATA:
	case EOVERFLOW:
		return EXIT_UNREADABLE;
	default:
		return EXIT_MISSING;
	}
}
