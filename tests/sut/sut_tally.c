#include "tests/sut/sut_tally.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "lib/base/cleanup.h"

static int map(int fd, size_t bytes, struct sut_tally **tally, struct err *err)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return err_set(err, -errno, "tally: cannot map (%m)");
	*tally = at;
	return 0;
}

int sut_tally_create(unsigned peers, struct sut_tally **tally, int *fd, struct err *err)
{
	const size_t bytes = (peers + 1) * sizeof(struct sut_tally);
	CLOSES int made = memfd_create("hubdemo-tally", MFD_CLOEXEC);

	if (made < 0 || ftruncate(made, (off_t)bytes) != 0)
		return err_set(err, -errno, "tally: cannot create (%m)");
	const int r = map(made, bytes, tally, err);
	if (!r)
		*fd = take_fd(&made);
	return r;
}

int sut_tally_open(const char *path, unsigned id, struct sut_tally **entry, struct err *err)
{
	CLOSES int fd = open(path, O_RDWR | O_CLOEXEC);
	struct sut_tally *all = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		return err_set(err, -errno, "%s: cannot open the tally (%m)", path);
	if ((size_t)st.st_size < (id + 1) * sizeof(struct sut_tally))
		return err_set(err, -EBADMSG, "%s: has no entry for peer %u", path, id);
	const int r = map(fd, (size_t)st.st_size, &all, err);
	if (!r)
		*entry = &all[id];
	return r;
}
