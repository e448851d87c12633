/*
 * gatehouse shadow promote: finds the line that puts something in shadow, and
 * shows what is to stand there instead, or writes it: one line, nothing else
 * of the file; the new file takes the old one's place in one step.
 */
#include "proxy/cli_promote.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "filters/pipeline.h"
#include "policy/config_tables.h"
#include "proxy/cli_config.h"
#include "rules/rule_parse.h"

struct change {
	struct slice what;         /* "policy trial" */
	struct slice file;
	unsigned line;
	bool of_rule;              /* a line of a rule file: "shadow NAME…"; else of a section: "shadow = on" */
	struct slice rule;
};

#define CHANGES_MAX 64
#define FILES_MAX 10000 /* that include each other */

struct promote {
	struct arena *arena;
	const struct config *config;
	struct change list[CHANGES_MAX];
	size_t count, files;
	bool write;
};

/* ---- finding the line */

static void add(struct promote *p, const struct change *change)
{
	for (size_t i = 0; i < p->count; i++) /* a file that is included twice */
		if (slice_eq(p->list[i].file, change->file) && p->list[i].line == change->line)
			return;
	if (p->count < CHANGES_MAX)
		p->list[p->count++] = *change;
}

/* name is "trial", or "policy trial". */
static bool is_named(struct slice name, const char *kind, struct slice title)
{
	size_t len = strlen(kind);
	return slice_eq(name, title) || (slice_starts(name, slice_str(kind)) && name.len > len &&
					 name.data[len] == ' ' && slice_eq(slice_trim(slice_from(name, len)), title));
}

static void add_section(struct promote *p, const char *kind, struct slice title, const void *values)
{
	struct change c = { .what = arena_printf(p->arena, "%s %.*s", kind, SLICE_ARG(title)) };
	settings_where(p->config->file, values, "shadow", &c.file, &c.line);
	add(p, &c);
}

static void find_sections(struct promote *p, struct slice name)
{
	const struct {
		const char *kind;
		const struct section *section;
		size_t shadow;
	} kinds[] = {
		{ "policy", &config_policy_section, offsetof(struct config_policy, shadow) },
		{ "list", &config_list_section, offsetof(struct config_list, shadow) },
		{ "dnslist", &config_dnslist_section, offsetof(struct config_dnslist, shadow) },
	};
	for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
		const struct section_values *v;
		size_t at = 0;
		while ((v = settings_next(p->config->file, kinds[k].section, &at)) != NULL)
			if (is_named(name, kinds[k].kind, v->title) &&
			    *(const bool *)((const char *)v->values + kinds[k].shadow))
				add_section(p, kinds[k].kind, v->title, v->values);
	}
}

static bool has_symbol(const struct filter *filter, struct slice symbol)
{
	for (const struct filter_symbol *s = filter->symbols; s != NULL && s->name != NULL; s++)
		if (slice_eq(slice_str(s->name), symbol))
			return true;
	return false;
}

static void find_filters(struct promote *p, struct slice name)
{
	for (size_t i = 0; i < p->config->filter_count; i++) {
		const struct config_filter *f = &p->config->filters[i];
		const struct filter *filter = filter_find(f->name);
		const struct filter_common *common = f->values;
		if (filter != NULL && common != NULL && common->shadow &&
		    (is_named(name, "filter", f->name) || has_symbol(filter, name)))
			add_section(p, "filter", f->name, f->values);
	}
}

static struct slice next_word(struct slice *rest)
{
	struct slice s = slice_trim_left(*rest);
	size_t len = 0;
	while (len < s.len && !ascii_is_space(s.data[len]) && s.data[len] != '#')
		len++;
	*rest = slice_from(s, len);
	return slice_head(s, len);
}

/* "shadow A B": rule is among them. */
static bool shadows(struct slice line, struct slice rule)
{
	struct slice word;
	if (!slice_eq(next_word(&line), SLICE("shadow")))
		return false;
	while ((word = next_word(&line)).len > 0)
		if (slice_eq(word, rule))
			return true;
	return false;
}

/* The file that the line includes, as rule_parse.c resolves it. */
static bool includes(struct arena *arena, struct slice file, struct slice line, struct slice *path_r)
{
	size_t slash = slice_rchr(file, '/');
	if (!slice_eq(next_word(&line), SLICE("include")))
		return false;
	struct slice name = slice_trim(slice_head(line, slice_chr(line, '#')));
	*path_r = slice_starts(name, SLICE("/")) || slash == SLICE_NPOS ? name :
		  arena_printf(arena, "%.*s/%.*s", SLICE_ARG(slice_head(file, slash)), SLICE_ARG(name));
	return name.len > 0;
}

static void find_in_file(struct promote *p, struct slice path, struct slice rule, unsigned depth)
{
	struct slice rest, line, other;
	struct change c = { .what = arena_printf(p->arena, "rule %.*s", SLICE_ARG(rule)), .file = path, .of_rule = true,
			    .rule = rule };
	if (p->files++ >= FILES_MAX || !file_read(p->arena, arena_str(p->arena, path), RULE_FILE_MAX, &rest))
		return;
	while (rest.data != NULL && slice_split(&rest, '\n', &line)) {
		c.line++;
		if (shadows(line, rule))
			add(p, &c);
		else if (depth < RULE_INCLUDE_DEPTH && includes(p->arena, path, line, &other))
			find_in_file(p, other, rule, depth + 1);
	}
}

static int is_rule_file(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && slice_ends(slice_str(entry->d_name), SLICE(".cf"));
}

static void find_rules(struct promote *p, struct slice name)
{
	const struct slice_list *paths = &p->config->rules->paths;
	struct slice rule = slice_starts(name, SLICE("rule ")) ? slice_trim(slice_from(name, 5)) : name;
	for (size_t i = 0; i < paths->count; i++) {
		struct dirent **entries;
		struct slice path = slice_str(arena_str(p->arena, paths->items[i]));
		int n = scandir(path.data, &entries, is_rule_file, alphasort);
		if (n < 0)
			find_in_file(p, path, rule, 0);
		for (int k = 0; k < n; k++) {
			find_in_file(p, arena_printf(p->arena, "%s/%s", path.data, entries[k]->d_name), rule, 0);
			free(entries[k]);
		}
		if (n >= 0)
			free(entries);
	}
}

/* ---- the line as it is to be */

/* Without the rule's name; without the line where it was the only one. */
static bool change_rule_line(const struct change *c, struct slice line, struct buf *out)
{
	struct slice rest = line, word;
	size_t left = 0;
	struct buf names = { 0 };
	next_word(&rest);
	while ((word = next_word(&rest)).len > 0) {
		if (slice_eq(word, c->rule))
			continue;
		buf_printf(&names, " %.*s", SLICE_ARG(word));
		left++;
	}
	if (left > 0)
		buf_printf(out, "shadow%.*s", (int)names.len, names.data);
	if (left > 0 && slice_trim(rest).len > 0)
		buf_printf(out, " %.*s", SLICE_ARG(slice_trim(rest)));
	buf_free(&names);
	return true;
}

/* "shadow = on" to "shadow = off". False: not once on the line. */
static bool change_setting(struct slice line, struct buf *out)
{
	size_t at = slice_find(line, SLICE("shadow")), end;
	if (at == SLICE_NPOS || slice_find(slice_from(line, at + 6), SLICE("shadow")) != SLICE_NPOS)
		return false;
	struct slice rest = slice_trim_left(slice_from(line, at + 6));
	if (!slice_starts(rest, SLICE("=")))
		return false;
	rest = slice_trim_left(slice_from(rest, 1));
	for (end = 0; end < rest.len && ascii_is_alnum(rest.data[end]); end++)
		;
	if (end == 0) /* in quotes, or on the next line */
		return false;
	buf_printf(out, "%.*sshadow = off%.*s", (int)at, line.data, (int)(rest.len - end), rest.data + end);
	return true;
}

/* all with that line changed. False: it can't be told how. */
static bool change_text(const struct change *c, struct slice all, struct buf *line_was, struct buf *line_is, struct buf *out)
{
	struct slice rest = all, line;
	for (unsigned n = 1; rest.data != NULL && slice_split(&rest, '\n', &line); n++) {
		if (n != c->line) {
			buf_add_slice(out, line);
		} else {
			buf_add_slice(line_was, line);
			if (!(c->of_rule ? change_rule_line(c, line, line_is) : change_setting(line, line_is)))
				return false;
			buf_add_slice(out, buf_slice(line_is));
		}
		bool gone = n == c->line && line_is->len == 0;
		if (rest.data != NULL && !gone)
			buf_add_char(out, '\n');
	}
	return line_was->len > 0;
}

/* ---- writing it */

/* Owner, group and mode stay. A link stays one: what it points to is replaced. */
static bool replace_file(const char *path, struct slice text)
{
	char part[4200], real[4096];
	struct stat st;
	if (realpath(path, real) == NULL || stat(real, &st) != 0)
		return false;
	snprintf(part, sizeof(part), "%s.new", real);
	int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return false;
	bool owned = fchown(fd, st.st_uid, st.st_gid) == 0 || (geteuid() == st.st_uid && getegid() == st.st_gid);
	bool ok = owned && fchmod(fd, st.st_mode & 07777) == 0 && file_write_all(fd, text) && fsync(fd) == 0;
	ok = close(fd) == 0 && ok && rename(part, real) == 0;
	int error = errno;
	if (!ok)
		unlink(part);
	errno = error;
	return ok;
}

static int apply(struct promote *p, const struct change *c)
{
	struct buf was = { 0 }, is = { 0 }, text = { 0 };
	struct slice all;
	int status = EX_OK;
	if (!file_read(p->arena, arena_str(p->arena, c->file), RULE_FILE_MAX, &all) || !change_text(c, all, &was, &is, &text)) {
		printf("%.*s: take `shadow = on` out by hand: %.*s:%u\n", SLICE_ARG(c->what), SLICE_ARG(c->file), c->line);
		status = EX_UNAVAILABLE;
	} else {
		printf("%.*s, %.*s:%u\n-%.*s\n", SLICE_ARG(c->what), SLICE_ARG(c->file), c->line, (int)was.len, was.data);
		if (is.len > 0)
			printf("+%.*s\n", (int)is.len, is.data);
		if (p->write && !replace_file(arena_str(p->arena, c->file), buf_slice(&text))) {
			fprintf(stderr, "gatehouse shadow: %.*s: %s\n", SLICE_ARG(c->file), strerror(errno));
			status = EX_CANTCREAT;
		}
	}
	buf_free(&was);
	buf_free(&is);
	buf_free(&text);
	return status;
}

static bool same_kind(const struct promote *p)
{
	for (size_t i = 1; i < p->count; i++)
		if (!slice_eq(p->list[i].what, p->list[0].what))
			return false;
	return true;
}

static int promote_name(struct promote *p, const char *text)
{
	struct slice name = slice_trim(slice_str(text));
	int status = EX_OK;
	p->count = p->files = 0;
	find_sections(p, name);
	find_filters(p, name);
	find_rules(p, name);
	if (p->count == 0) {
		fprintf(stderr, "gatehouse shadow: nothing named %s is in shadow\n", text);
		return EX_NOINPUT;
	}
	if (!same_kind(p)) {
		fprintf(stderr, "gatehouse shadow: which one?\n");
		for (size_t i = 0; i < p->count; i++)
			fprintf(stderr, "  \"%.*s\"\n", SLICE_ARG(p->list[i].what));
		return EX_USAGE;
	}
	/* From the end: a line that goes away must not move the others. */
	for (size_t i = p->count; i-- > 0 && status == EX_OK;)
		status = apply(p, &p->list[i]);
	return status;
}

static const struct config *read_config(struct arena *arena, const char *path)
{
	struct config_errors errors = { .arena = arena };
	const struct config *config = cli_config_read(arena, path, NULL, &errors);
	if (config == NULL)
		cli_print_errors(stderr, "", &errors);
	return config;
}

int cli_promote(const char *path, bool write, char **names, int count)
{
	struct promote p = { .write = write };
	int status = EX_OK;
	for (int i = 0; i < count && status == EX_OK; i++) {
		/* Anew for each: lines may have moved. */
		p.arena = arena_create();
		p.config = read_config(p.arena, path);
		status = p.config != NULL ? promote_name(&p, names[i]) : EX_CONFIG;
		arena_destroy(&p.arena);
	}
	if (status == EX_OK)
		puts(p.write ? "written; `gatehouse reload` makes it real" : "nothing is written: --write does it");
	return status;
}
