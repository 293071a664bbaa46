#include "lib/as/as_mounts.h"

#include <string.h>

#include "lib/as/as_lines.h"

enum { MOUNTINFO_BYTES = 1 << 20 };

static bool skip_word(struct as_scan *s)
{
	as_scan_blanks(s);
	if (s->at == s->end)
		return false;
	while (s->at < s->end && *s->at != ' ')
		s->at++;
	return true;
}

static size_t take_word(struct as_scan *s, const char **word)
{
	as_scan_blanks(s);
	*word = s->at;
	return skip_word(s) ? (size_t)(s->at - *word) : 0;
}

/* "36 35 0:52 / /mnt rw,noatime shared:1 - fuse.sshfs host: rw,user_id=0" */
bool as_mounts_parse(const char *line, size_t n, struct as_mount *m)
{
	struct as_scan s = as_scan_text(line, n);
	const char *word;
	uint64_t major, minor;
	size_t len;

	if (!skip_word(&s) || !skip_word(&s))
		return false;
	as_scan_blanks(&s);
	if (!as_scan_u64(&s, &major) || !as_scan_char(&s, ':') || !as_scan_u64(&s, &minor) ||
	    !skip_word(&s))
		return false;
	m->point_len = take_word(&s, &m->point);
	do
		len = take_word(&s, &word);
	while (len && !(len == 1 && *word == '-'));
	m->type_len = take_word(&s, &m->type);
	m->dev_major = (uint32_t)major;
	m->dev_minor = (uint32_t)minor;
	return m->point_len && m->type_len;
}

bool as_mounts_is_served(const struct as_mount *m)
{
	static const char *const served[] = { "fuse",  "fuseblk", "nfs",    "nfs4",  "cifs", "smb3",
					      "9p",    "ceph",    "afs",    "virtiofs", "lustre", "gfs2",
					      "ocfs2", "orangefs", "autofs", "coda" };

	if (m->type_len > 5 && memcmp(m->type, "fuse.", 5) == 0)
		return true;
	for (size_t i = 0; i < sizeof(served) / sizeof(served[0]); i++)
		if (strlen(served[i]) == m->type_len && memcmp(served[i], m->type, m->type_len) == 0)
			return true;
	return false;
}

bool as_mounts_has_served(int proc_fd, uint32_t dev_major, uint32_t dev_minor)
{
	struct as_lines lines;
	struct as_scan line;
	struct as_mount m;
	bool found = false;

	if (as_lines_open(&lines, proc_fd, "mountinfo", MOUNTINFO_BYTES))
		return false;
	while (!found && as_lines_next(&lines, &line))
		found = as_mounts_parse(line.at, (size_t)(line.end - line.at), &m) &&
			m.dev_major == dev_major && m.dev_minor == dev_minor && as_mounts_is_served(&m);
	as_lines_close(&lines);
	return found;
}
