#include "lib/feed/feed_chain.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/feed/feed_get.h"

struct feed_chain {
	char *path;
	struct feed_reader *part;   /* the one that is read now */
	json_t *head;               /* its first record, not yet handed out; NULL */
	uint64_t segment;
	char image[24];             /* "" until the first line was read */
	uint64_t missed;
	struct feed_stats done;     /* of the parts before */
	struct feed_stats all;      /* storage for feed_chain_stats() */
	char *bad_path;             /* the first part in which something was not used; NULL */
};

struct candidate { /* an open part whose first line was read */
	struct feed_reader *reader;
	json_t *head;
	uint64_t segment;
};

static void drop(struct candidate *c)
{
	feed_reader_close(c->reader);
	json_decref(c->head);
	*c = (struct candidate){ 0 };
}

/* Opens a part and reads its first line. 0, or why it cannot be one of a feed. */
static int look_at(const char *path, struct candidate *c, struct err *err)
{
	int e = feed_reader_open(path, &c->reader, err);

	if (e)
		return e;
	e = feed_reader_next(c->reader, &c->head);
	if (e < 0) {
		err_set(err, e, "%s: cannot be read (%s)", path, strerror(-e));
	} else if (e == 0 && !feed_reader_stats(c->reader)->skipped) {
		e = err_set(err, -ENODATA, "%s: no whole line in it (yet)", path);
		err_next(err, "nothing: its writer has just begun, or was killed before it could");
	} else if (e == 0 || !feed_is_type(c->head, "feed") ||
		   feed_reader_stats(c->reader)->lines != 1) {
		e = err_set(err, -EBADMSG, "%s: not a feed (its first line does not say so)", path);
		err_next(err, "the files of `sigdump run` are named COMM-PID-RANDOM.ndjson");
	} else {
		c->segment = feed_u64(c->head, "segment", 0);
		return 0;
	}
	drop(c);
	return e;
}

static bool is_same_image(const struct feed_chain *chain, const json_t *head)
{
	const char *image = feed_text(head, "image");

	return !chain->image[0] || (image && strcmp(image, chain->image) == 0);
}

/* Of the parts that are there, the one with the lowest segment number of at least `least`. */
static int find_part(struct feed_chain *chain, uint64_t least, struct candidate *best,
		     struct err *err)
{
	char path[PATH_MAX];
	int first_error = 0;

	for (int n = 0; n <= FEED_PARTS_MAX; n++) {
		struct candidate c = { 0 };
		const int len = n ? snprintf(path, sizeof(path), "%s.%d", chain->path, n)
				  : snprintf(path, sizeof(path), "%s", chain->path);

		if (len < 0 || (size_t)len >= sizeof(path))
			return err_set(err, -ENAMETOOLONG, "%.60s...: the name is too long", path);
		const int e = look_at(path, &c, first_error ? NULL : err);

		if (e == -ENOENT && n)
			break;
		if (e) {
			first_error = first_error ? first_error : e;
			continue;
		}
		if (c.segment < least || !is_same_image(chain, c.head) ||
		    (best->reader && best->segment <= c.segment)) {
			drop(&c);
			continue;
		}
		if (best->reader)
			drop(best);
		*best = c;
	}
	return best->reader ? 0 : first_error ? first_error : -ENOENT;
}

static void take_part(struct feed_chain *chain, struct candidate *c)
{
	const char *image = feed_text(c->head, "image");

	if (chain->part) {
		const struct feed_stats *stats = feed_reader_stats(chain->part);

		if (!chain->bad_path && (stats->skipped || stats->cut_bytes))
			chain->bad_path = strdup(feed_reader_path(chain->part));
		feed_stats_add(&chain->done, stats);
		feed_reader_skim(c->reader, feed_reader_skim(chain->part, 0));
		feed_reader_close(chain->part);
		chain->missed += c->segment - chain->segment - 1;
	}
	chain->part = c->reader;
	chain->head = c->head;
	chain->segment = c->segment;
	snprintf(chain->image, sizeof(chain->image), "%s", image ? image : "");
}

int feed_chain_open(const char *path, struct feed_chain **chain, struct err *err)
{
	struct feed_chain *made = calloc(1, sizeof(*made));
	struct candidate first = { 0 };

	if (made)
		made->path = strdup(path);
	if (!made || !made->path) {
		free(made);
		return err_set(err, -ENOMEM, "%s: out of memory", path);
	}
	const int e = find_part(made, 0, &first, err);

	if (e) {
		feed_chain_close(made);
		return e;
	}
	take_part(made, &first);
	*chain = made;
	return 0;
}

void feed_chain_recent(struct feed_chain *chain, uint64_t bytes)
{
	char path[PATH_MAX];
	struct stat st;
	uint64_t all = 0;

	for (int n = 0; n <= FEED_PARTS_MAX; n++) {
		snprintf(path, sizeof(path), n ? "%s.%d" : "%s", chain->path, n);
		if (!stat(path, &st))
			all += (uint64_t)st.st_size;
		else if (n)
			break;
	}
	if (all > bytes)
		feed_reader_skim(chain->part, all - bytes);
}

void feed_chain_close(struct feed_chain *chain)
{
	if (!chain)
		return;
	feed_reader_close(chain->part);
	json_decref(chain->head);
	free(chain->bad_path);
	free(chain->path);
	free(chain);
}

/* Does the name still lead to the file that is open? Then there is no newer part. */
static bool is_newest(const struct feed_chain *chain)
{
	struct stat named, open;

	return !stat(chain->path, &named) && !feed_reader_stat(chain->part, &open) &&
	       named.st_ino == open.st_ino && named.st_dev == open.st_dev;
}

int feed_chain_next(struct feed_chain *chain, json_t **rec)
{
	for (;;) {
		if (chain->head) {
			*rec = chain->head;
			chain->head = NULL;
			return 1;
		}
		int e = feed_reader_next(chain->part, rec);

		if (e || is_newest(chain))
			return e;
		/* renamed meanwhile: what was written between our read and the renaming comes first */
		e = feed_reader_next(chain->part, rec);
		if (e)
			return e;
		struct candidate next = { 0 };

		if (find_part(chain, chain->segment + 1, &next, NULL))
			return 0;
		take_part(chain, &next);
	}
}

const char *feed_chain_path(const struct feed_chain *chain)
{
	return chain->path;
}

const struct feed_stats *feed_chain_stats(struct feed_chain *chain)
{
	chain->all = chain->done;
	feed_stats_add(&chain->all, feed_reader_stats(chain->part));
	return &chain->all;
}

bool feed_chain_problem(struct feed_chain *chain, struct err *err)
{
	const char *path = chain->bad_path ? chain->bad_path : feed_reader_path(chain->part);

	return feed_stats_problem(feed_chain_stats(chain), path, err);
}

uint64_t feed_chain_missed(const struct feed_chain *chain)
{
	return chain->missed;
}
