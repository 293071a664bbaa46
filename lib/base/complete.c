#include "lib/base/complete.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static const struct opt_values known[] = {
	{ "LIST", COMPLETE_PID },  { "PATH", COMPLETE_HUB },
	{ "FILE", COMPLETE_FILE }, { "DIR", COMPLETE_DIR },
	{ "WHEN", "auto always never" },
	{ "LEVEL", "critical warning info never" },
	{ NULL, NULL },
};

/* Processes that have the library: "PID NAME" a line. */
static const char list_pids[] = "sigdump list 2>/dev/null | awk '$1 + 0 { print $1, $2 }'";

static const char *values_of(const struct opt_page *page, const char *arg)
{
	const struct opt_values *tables[] = { page->values, known };

	for (unsigned t = 0; arg && t < 2; t++)
		for (const struct opt_values *v = tables[t]; v && v->arg; v++)
			if (strcmp(v->arg, arg) == 0)
				return v->words;
	return NULL;
}

/* The command that a page is about; NULL for that of the tool itself. */
static const char *command_of(const struct opt_page *page)
{
	const char *space = strchr(page->tool, ' ');

	return space ? space + 1 : NULL;
}

/* Calls one(..., o) for each option that help tells, --help and --version included. */
static void each_option(FILE *out, const struct opt_page *page,
			void (*one)(FILE *out, const struct opt_page *page, const struct opt *o))
{
	const struct opt *tables[] = { page->options, opt_common() };

	for (unsigned t = 0; t < 2; t++)
		for (const struct opt *o = tables[t]; o->name; o++)
			if (o->help)
				one(out, page, o);
}

/* Text inside of quotes 'like these', with `special` characters behind a backslash. Fish and
   zsh both read '\'' as one quote. */
static void put_quoted(FILE *out, const char *text, const char *special)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\'", out);
		else if (strchr(special, *text))
			putc('\\', out);
		putc(*text, out);
	}
}

/* ---- bash ----------------------------------------------------------------------------------- */

static void bash_name(FILE *out, const struct opt_page *page, const struct opt *o)
{
	(void)page;
	fprintf(out, " --%s", o->name);
	if (o->letter)
		fprintf(out, " -%c", o->letter);
}

/* What is offered for a value: one statement. */
static void bash_values(FILE *out, const char *words)
{
	if (!words)
		fprintf(out, ":");
	else if (strcmp(words, COMPLETE_PID) == 0)
		fprintf(out, "_shmscope_words \"$(%s | cut -d' ' -f1)\"", list_pids);
	else if (strcmp(words, COMPLETE_HUB) == 0)
		fprintf(out, "_shmscope_files -f /dev/shm/*.hub");
	else if (strcmp(words, COMPLETE_FILE) == 0)
		fprintf(out, "_shmscope_files -f");
	else if (strcmp(words, COMPLETE_DIR) == 0)
		fprintf(out, "_shmscope_files -d");
	else
		fprintf(out, "_shmscope_words '%s'", words);
}

static void bash_argument(FILE *out, const struct opt_page *page, const struct opt *o)
{
	const char *command = command_of(page);

	if (!o->arg)
		return;
	fprintf(out, "\t\"%s --%s\"", command ? command : "", o->name);
	if (o->letter)
		fprintf(out, " | \"%s -%c\"", command ? command : "", o->letter);
	fprintf(out, ") ");
	bash_values(out, values_of(page, o->arg));
	fprintf(out, "; return ;;\n");
}

static const char bash_helpers[] =
	"_shmscope_words() { mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$cur\"); }\n"
	"_shmscope_files() { # -f or -d, more files\n"
	"\tlocal more\n"
	"\tcompopt -o filenames 2>/dev/null\n"
	"\tmapfile -t COMPREPLY < <(compgen \"$1\" -- \"$cur\"\n"
	"\t\tfor more in \"${@:2}\"; do\n"
	"\t\t\tif [[ -e $more && $more == \"$cur\"* ]]; then echo \"$more\"; fi\n"
	"\t\tdone)\n"
	"}\n";

/* The words before the cursor's: bash has split "--color=al" into three. */
static const char bash_begin[] =
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command= i\n"
	"\tCOMPREPLY=()\n"
	"\tif [[ $cur == = ]]; then cur=\n"
	"\telif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD - 2]}; fi\n";

/* sigdump run -- COMMAND: what follows is completed as COMMAND does it. */
static const char bash_commands[] =
	"\t((COMP_CWORD > 1)) && command=${COMP_WORDS[1]}\n"
	"\tfor ((i = 2; i < COMP_CWORD; i++)); do\n"
	"\t\t[[ ${COMP_WORDS[i]} == -- ]] || continue\n"
	"\t\tif declare -F _command_offset >/dev/null; then _command_offset $((i + 1))\n"
	"\t\telif ((i + 1 == COMP_CWORD)); then mapfile -t COMPREPLY < <(compgen -c -- \"$cur\")\n"
	"\t\telse _shmscope_files -f; fi\n"
	"\t\treturn\n"
	"\tdone\n";

static void bash(FILE *out, const struct opt_page *const *page, size_t n)
{
	const char *tool = page[0]->tool;

	fprintf(out, "# bash completion of %s, made from its option table.\n%s_%s()\n{\n%s%s", tool,
		bash_helpers, tool, bash_begin, n > 1 ? bash_commands : "");
	fprintf(out, "\tcase \"$command $prev\" in\n");
	for (size_t i = 0; i < n; i++)
		each_option(out, page[i], bash_argument);
	fprintf(out, "\tesac\n\tcase \"$command:$cur\" in\n");
	for (size_t i = n; i-- > 0;) {
		fprintf(out, "\t%s:-*) _shmscope_words '", command_of(page[i]) ? command_of(page[i]) : "");
		each_option(out, page[i], bash_name);
		fprintf(out, "' ;;\n");
	}
	if (n > 1) {
		fprintf(out, "\t:*) _shmscope_words '");
		for (size_t i = 1; i < n; i++)
			fprintf(out, " %s", command_of(page[i]));
		fprintf(out, "' ;;\n");
	} else {
		fprintf(out, "\t*) ");
		bash_values(out, page[0]->operands);
		fprintf(out, " ;;\n");
	}
	fprintf(out, "\tesac\n}\ncomplete -F _%s %s\n", tool, tool);
}

/* ---- zsh ------------------------------------------------------------------------------------ */

static void zsh_values(FILE *out, const char *words)
{
	if (!words)
		return;
	if (strcmp(words, COMPLETE_PID) == 0)
		fprintf(out, "_shmscope_pids");
	else if (strcmp(words, COMPLETE_HUB) == 0)
		fprintf(out, "_shmscope_hubs");
	else if (strcmp(words, COMPLETE_FILE) == 0)
		fprintf(out, "_files");
	else if (strcmp(words, COMPLETE_DIR) == 0)
		fprintf(out, "_files -/");
	else
		fprintf(out, "(%s)", words);
}

static void zsh_option(FILE *out, const struct opt_page *page, const struct opt *o)
{
	const char *equals = o->arg ? "=" : "";

	fprintf(out, " \\\n\t\t");
	if (o->letter)
		fprintf(out, "'(-%c --%s)'{-%c%s,--%s%s}'[", o->letter, o->name, o->letter,
			o->arg ? "+" : "", o->name, equals);
	else
		fprintf(out, "'--%s%s[", o->name, equals);
	put_quoted(out, o->help, "[]:\\");
	putc(']', out);
	if (o->arg) {
		fprintf(out, ":%s:", o->arg);
		zsh_values(out, values_of(page, o->arg));
	}
	putc('\'', out);
}

static const char zsh_helpers[] =
	"_shmscope_pids() {\n"
	"\tlocal -a found=(${(f)\"$(%s)\"})\n"
	"\tfound=(${found/ /:})\n"
	"\t_describe process found\n"
	"}\n"
	"_shmscope_hubs() { compadd -f -- /dev/shm/*.hub(N); _files }\n";

static void zsh_arguments(FILE *out, const struct opt_page *page)
{
	fprintf(out, "_arguments -s -S");
	each_option(out, page, zsh_option);
	if (page->operands && strcmp(page->operands, COMPLETE_COMMAND) == 0) {
		fprintf(out, " \\\n\t\t'(-):command:_command_names -e' '*::argument:_normal'");
	} else if (page->operands) {
		fprintf(out, " \\\n\t\t'*:operand:");
		zsh_values(out, page->operands);
		putc('\'', out);
	}
	putc('\n', out);
}

static void zsh(FILE *out, const struct opt_page *const *page, size_t n)
{
	const char *tool = page[0]->tool;

	fprintf(out, "#compdef %s\n# zsh completion of %s, made from its option table.\n", tool, tool);
	fprintf(out, zsh_helpers, list_pids);
	fprintf(out, "_%s() {\n", tool);
	if (n == 1) {
		fprintf(out, "\t");
		zsh_arguments(out, page[0]);
	} else {
		fprintf(out, "\tlocal state line\n\t_arguments -C");
		each_option(out, page[0], zsh_option);
		fprintf(out, " \\\n\t\t'1:command:(");
		for (size_t i = 1; i < n; i++)
			fprintf(out, "%s%s", i > 1 ? " " : "", command_of(page[i]));
		fprintf(out, ")' '*::argument:->arguments'\n\t[[ $state == arguments ]] || return\n"
			     "\tcase $words[1] in\n");
		for (size_t i = 1; i < n; i++) {
			fprintf(out, "\t%s) ", command_of(page[i]));
			zsh_arguments(out, page[i]);
			fprintf(out, "\t\t;;\n");
		}
		fprintf(out, "\tesac\n");
	}
	fprintf(out, "}\n_%s \"$@\"\n", tool);
}

/* ---- fish ----------------------------------------------------------------------------------- */

/* The option that says what a value can be. */
static void fish_values(FILE *out, const char *words)
{
	if (!words)
		fprintf(out, " -x");
	else if (strcmp(words, COMPLETE_PID) == 0)
		fprintf(out, " -x -a '(sigdump list 2>/dev/null | string replace -rf \"^ *(\\\\d+) +(\\\\S+).*\" \"\\$1\\\\t\\$2\")'");
	else if (strcmp(words, COMPLETE_HUB) == 0)
		fprintf(out, " -r -F -a '/dev/shm/*.hub'");
	else if (strcmp(words, COMPLETE_FILE) == 0)
		fprintf(out, " -r -F");
	else if (strcmp(words, COMPLETE_DIR) == 0)
		fprintf(out, " -x -a '(__fish_complete_directories)'");
	else
		fprintf(out, " -x -a '%s'", words);
}

static void fish_begin(FILE *out, const struct opt_page *page)
{
	const char *command = command_of(page);

	fprintf(out, "complete -c %.*s", (int)strcspn(page->tool, " "), page->tool);
	if (command)
		fprintf(out, " -n '__fish_seen_subcommand_from %s'", command);
}

static void fish_option(FILE *out, const struct opt_page *page, const struct opt *o)
{
	fish_begin(out, page);
	if (o->letter)
		fprintf(out, " -s %c", o->letter);
	fprintf(out, " -l %s", o->name);
	if (o->arg)
		fish_values(out, values_of(page, o->arg));
	fprintf(out, " -d '");
	put_quoted(out, o->help, "\\");
	fprintf(out, "'\n");
}

static void fish(FILE *out, const struct opt_page *const *page, size_t n)
{
	const char *tool = page[0]->tool;

	fprintf(out, "# fish completion of %s, made from its option table.\n", tool);
	if (n > 1)
		fprintf(out, "complete -c %s -f\n", tool);
	for (size_t i = 0; i < n; i++) {
		if (n == 1 || i)
			each_option(out, page[i], fish_option);
		if (!i)
			continue;
		fprintf(out, "complete -c %s -n __fish_use_subcommand -a %s -d '", tool, command_of(page[i]));
		put_quoted(out, page[i]->does, "\\");
		fprintf(out, "'\n");
		if (page[i]->operands && strcmp(page[i]->operands, COMPLETE_COMMAND) == 0) {
			fish_begin(out, page[i]);
			fprintf(out, " -x -a '(__fish_complete_subcommand --fcs-skip=2)'\n");
		}
	}
}

int complete_write(FILE *out, const char *shell, const struct opt_page *const *page, size_t n,
		   struct err *err)
{
	static const struct {
		const char *shell;
		void (*write)(FILE *out, const struct opt_page *const *page, size_t n);
	} writers[] = { { "bash", bash }, { "zsh", zsh }, { "fish", fish } };

	for (size_t i = 0; i < sizeof(writers) / sizeof(*writers); i++) {
		if (strcmp(shell, writers[i].shell) == 0) {
			writers[i].write(out, page, n);
			return 0;
		}
	}
	return err_set(err, -EINVAL, "--completion: \"%s\" is none of bash, zsh, fish", shell);
}
