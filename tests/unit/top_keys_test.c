#include "shmtop/keys.h"

#include <stdlib.h>
#include <string.h>

#include "tests/t.h"

TEST(a_key_means_one_thing_on_a_screen)
{
	size_t n;
	const struct key *k = keys_all(&n);

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			for (int a = 0; a < KEY_PLACES; a++)
				for (int b = 0; b < KEY_PLACES; b++)
					if (k[i].key[a] && k[i].key[a] == k[j].key[b] &&
					    (k[i].screens & k[j].screens))
						T_FAIL("%s and %s", k[i].words, k[j].words);
}

TEST(labels_of_a_screen_have_places_of_their_own)
{
	size_t n;
	const struct key *k = keys_all(&n);

	for (size_t i = 0; i < n; i++) {
		T_EQ(k[i].label != NULL, k[i].label_rank > 0);
		T_OK(k[i].label_rank <= KEY_RANKS);
		for (size_t j = 0; j < i; j++)
			if (k[i].label && k[i].label_rank == k[j].label_rank &&
			    (k[i].screens & k[j].screens))
				T_FAIL("%s and %s", k[i].label, k[j].label);
	}
}

TEST(keys_are_found_by_screen)
{
	int arg = 0;

	T_EQ(keys_find('3', SCREEN_OVERVIEW, &arg), ACT_SCREEN);
	T_EQ(arg, 3);
	T_EQ(keys_find('m', SCREEN_FINDINGS, &arg), ACT_MUTE);
	T_EQ(keys_find('m', SCREEN_OVERVIEW, &arg), ACT_NONE);
	T_EQ(keys_find(K_DOWN, SCREEN_SLOTS, &arg), ACT_DOWN);
	T_EQ(keys_find(0, SCREEN_SLOTS, &arg), ACT_NONE);
	T_OK(keys_elsewhere('m') != NULL);
	T_OK(keys_elsewhere('~') == NULL);
}

TEST(scripts_name_keys_that_are_no_characters)
{
	const char *s = "j<Esc><C-d><lt><F10><nonsense>";

	T_EQ(keys_parse(&s), 'j');
	T_EQ(keys_parse(&s), K_ESCAPE);
	T_EQ(keys_parse(&s), 4);
	T_EQ(keys_parse(&s), '<');
	T_EQ(keys_parse(&s), K_F10);
	T_EQ(keys_parse(&s), -1);
	T_EQ(keys_parse(&s), 0);
}

/* ---- the man page ------------------------------------------------------------------------ */

/* roff escapes that the list uses */
static void plain(char *line)
{
	char *to = line;

	for (const char *s = line; *s && *s != '\n'; s++) {
		if (s[0] == '\\' && s[1] == '&')
			s++;
		else if (s[0] == '\\' && s[1] == 'e')
			*to++ = '\\', s++;
		else
			*to++ = *s;
	}
	*to = '\0';
}

TEST(the_man_page_lists_these_keys_and_no_others)
{
	FILE *man = fopen("shmtop/shmtop.1", "r");
	char line[512];
	size_t n, at = 0;
	const struct key *k = keys_all(&n);
	int inside = 0;

	T_OK(man != NULL);
	while (fgets(line, sizeof(line), man)) {
		if (strncmp(line, ".Sh ", 4) == 0)
			inside = strncmp(line, ".Sh KEYS", 8) == 0;
		if (!inside || strncmp(line, ".It ", 4) != 0)
			continue;
		T_OK(at < n);
		plain(line);
		T_STR(line + 4, k[at].shown);
		T_OK(fgets(line, sizeof(line), man) != NULL);
		plain(line);
		T_STR(line, k[at++].words);
	}
	fclose(man);
	T_EQ(at, n);
}
