#include "lib/base/opt.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const struct opt common[] = {
	{ 'h', "help", NULL, "Other", "this text (-h: its first 20 lines)", OPT_HELP },
	{ 'V', "version", NULL, "Other", "version and features", OPT_VERSION },
	{ 0, NULL, NULL, NULL, NULL, 0 },
};

const struct opt *opt_common(void)
{
	return common;
}

void opt_begin(struct opt_walk *w, const struct opt_page *page, int argc, char **argv)
{
	*w = (struct opt_walk){ .page = page, .argc = argc, .argv = argv, .next = 1 };
}

/* Levenshtein distance, for names of a few dozen bytes. */
static size_t distance(const char *a, const char *b)
{
	enum { MAX = 48 };
	size_t row[MAX + 1];
	const size_t n = strnlen(b, MAX);

	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] && i < MAX; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			const size_t above = row[j];
			const size_t change = diagonal + (a[i - 1] != b[j - 1]);
			const size_t insert = (above < row[j - 1] ? above : row[j - 1]) + 1;

			row[j] = change < insert ? change : insert;
			diagonal = above;
		}
	}
	return row[n];
}

static const struct opt *nearest(const struct opt_page *page, const char *name)
{
	const struct opt *tables[] = { page->options, common };
	const struct opt *best = NULL;
	size_t best_distance = 4;

	for (unsigned t = 0; t < 2; t++) {
		for (const struct opt *o = tables[t]; o->name; o++) {
			const size_t d = distance(name, o->name);

			if (d < best_distance && o->help) {
				best_distance = d;
				best = o;
			}
		}
	}
	return best;
}

static int wrong(struct err *err, const struct opt_page *page, const char *shown, const char *name)
{
	const struct opt *o = name ? nearest(page, name) : NULL;

	if (o)
		err_set(err, -EINVAL, "%s: unknown option (did you mean --%s?)", shown, o->name);
	else
		err_set(err, -EINVAL, "%s: unknown option", shown);
	err_next(err, "`%s --help` lists the options", page->tool);
	return OPT_WRONG;
}

static int missing_argument(struct err *err, const struct opt_page *page, const struct opt *o)
{
	err_set(err, -EINVAL, "--%s: needs an argument (%s)", o->name, o->arg);
	err_next(err, "`%s --help` lists the options", page->tool);
	return OPT_WRONG;
}

static int long_option(struct opt_walk *w, const char *word, struct err *err)
{
	const char *name = word + 2;
	const char *equals = strchr(name, '=');
	const size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct opt *tables[] = { w->page->options, common };
	const struct opt *found = NULL;
	bool ambiguous = false;

	for (unsigned t = 0; t < 2; t++) {
		for (const struct opt *o = tables[t]; o->name; o++) {
			if (strncmp(o->name, name, len) != 0)
				continue;
			if (strlen(o->name) == len) {
				found = o;
				ambiguous = false;
				t = 2;
				break;
			}
			ambiguous = found != NULL;
			found = o;
		}
	}
	if (ambiguous) {
		err_set(err, -EINVAL, "%.*s: could be more than one option", (int)len + 2, word);
		err_next(err, "`%s --help` lists the options", w->page->tool);
		return OPT_WRONG;
	}
	if (!found) {
		char shown[64];

		snprintf(shown, sizeof(shown), "%.*s", (int)len, name);
		return wrong(err, w->page, word, shown);
	}
	if (!found->arg && equals) {
		err_set(err, -EINVAL, "--%s: takes no argument", found->name);
		return OPT_WRONG;
	}
	w->arg = equals ? equals + 1 : NULL;
	if (found->arg && !equals) {
		if (w->next >= w->argc)
			return missing_argument(err, w->page, found);
		w->arg = w->argv[w->next++];
	}
	return found->id;
}

static int short_option(struct opt_walk *w, struct err *err)
{
	const char *word = w->argv[w->next];
	const char letter = word[w->cluster];
	const struct opt *tables[] = { w->page->options, common };

	for (unsigned t = 0; t < 2; t++) {
		for (const struct opt *o = tables[t]; o->name; o++) {
			if (o->letter != letter)
				continue;
			const bool last = word[w->cluster + 1] == '\0';

			if (!o->arg) {
				w->arg = NULL;
				w->cluster = last ? 0 : w->cluster + 1;
				w->next += last;
				return o->id == OPT_HELP ? OPT_HELP_SHORT : o->id;
			}
			w->arg = last ? NULL : word + w->cluster + 1;
			w->cluster = 0;
			w->next++;
			if (last) {
				if (w->next >= w->argc)
					return missing_argument(err, w->page, o);
				w->arg = w->argv[w->next++];
			}
			return o->id;
		}
	}
	const char shown[] = { '-', letter, '\0' };
	return wrong(err, w->page, shown, NULL);
}

int opt_next(struct opt_walk *w, struct err *err)
{
	if (w->cluster)
		return short_option(w, err);
	while (w->next < w->argc) {
		char *word = w->argv[w->next];

		if (w->only_operands || word[0] != '-' || word[1] == '\0') {
			if (w->stop_early)
				w->only_operands = 1;
			w->next++;
			w->argv[++w->operands] = word;
			continue;
		}
		if (strcmp(word, "--") == 0) {
			w->only_operands = 1;
			w->next++;
			continue;
		}
		if (word[1] == '-') {
			w->next++;
			return long_option(w, word, err);
		}
		w->cluster = 1;
		return short_option(w, err);
	}
	return OPT_END;
}

static void help_option(FILE *out, const struct opt *o)
{
	char left[64];

	snprintf(left, sizeof(left), "%c%c%s --%s%s%s", o->letter ? '-' : ' ',
		 o->letter ? o->letter : ' ', o->letter ? "," : " ", o->name, o->arg ? " " : "",
		 o->arg ? o->arg : "");
	fprintf(out, "  %-28s %s\n", left, o->help);
}

void opt_help(FILE *out, const struct opt_page *page, int short_form)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return;
	fprintf(f, "%s - %s\n", page->tool, page->does);
	const char *u = page->usage;
	for (int first = 1; u; first = 0) {
		const char *end = strchr(u, '\n');

		fprintf(f, "%s %s %.*s\n", first ? "usage:" : "      ", page->tool,
			end ? (int)(end - u) : (int)strlen(u), u);
		u = end ? end + 1 : NULL;
	}
	fprintf(f, "examples:\n%s", page->examples);
	const struct opt *tables[] = { page->options, common };
	const char *group = NULL;
	for (unsigned t = 0; t < 2; t++) {
		for (const struct opt *o = tables[t]; o->name; o++) {
			if (!o->help)
				continue;
			if (!group || strcmp(group, o->group) != 0)
				fprintf(f, "%s:\n", group = o->group);
			help_option(f, o);
		}
	}
	fprintf(f, "More: man %.*s. Trouble to report: README.md, section \"Reporting\".\n",
		(int)strcspn(page->tool, " "), page->tool); /* a command's page is its tool's */
	fclose(f);

	const char *end = text;
	for (int lines = 0; short_form && end && lines < 20; lines++) {
		end = strchr(end, '\n');
		end = end ? end + 1 : NULL;
	}
	fwrite(text, 1, short_form && end ? (size_t)(end - text) : len, out);
	free(text);
}

/* The note in which the linker has left the build id; the program itself is the first object. */
static int find_build_id(struct dl_phdr_info *info, size_t size, void *arg)
{
	static const char owner[] = "GNU";
	const ElfW(Phdr) *end = info->dlpi_phdr + info->dlpi_phnum;

	(void)size;
	for (const ElfW(Phdr) *p = info->dlpi_phdr; p < end; p++) {
		const char *at = (const char *)info->dlpi_addr + p->p_vaddr, *last = at + p->p_memsz;

		while (p->p_type == PT_NOTE && at + sizeof(ElfW(Nhdr)) <= last) {
			const ElfW(Nhdr) *note = (const void *)at;

			if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == sizeof(owner) &&
			    memcmp(note + 1, owner, sizeof(owner)) == 0) {
				*(const ElfW(Nhdr) **)arg = note;
				return 1;
			}
			at += sizeof(*note) + (note->n_namesz + 3U) / 4 * 4 + (note->n_descsz + 3U) / 4 * 4;
		}
	}
	return 1;
}

void opt_version(FILE *out, const struct opt_page *page)
{
	const ElfW(Nhdr) *note = NULL;

	fprintf(out, "%s %s\n", page->tool, SHMSCOPE_VERSION);
	dl_iterate_phdr(find_build_id, &note);
	if (note) {
		const unsigned char *id = (const unsigned char *)(note + 1) + 4; /* behind "GNU" */

		fprintf(out, "build id: ");
		for (unsigned i = 0; i < note->n_descsz; i++)
			fprintf(out, "%02x", id[i]);
		putc('\n', out);
	}
	fprintf(out, "features: hub feed peek libdw\n");
}
