/* Files, lines, comments, `lang`, conditionals, includes. */
#include "rules/rule_parse.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "rules/rule_cond.h"

struct conditional {
	bool outer_skips;      /* what was in force around it */
	bool own;              /* its own truth */
	bool has_else;
	unsigned line;
	const char *why;       /* a plugin that is missing, while `own` is false for that */
};

struct parser {
	struct rule_table *table;
	const struct rule_parse_options *options;
	struct slice file;
	unsigned line;
	struct conditional conditionals[RULE_IF_DEPTH];
	size_t depth;
	bool skip;
	bool skip_file;        /* require_version that is not ours */
	const struct parser *outer; /* the file that includes this one */
	unsigned includes;
};

static void parse_file(const struct parser *outer, struct rule_table *table, const char *path,
		       const struct rule_parse_options *options);

#define parse_error(p, ...) config_error_add((p)->table->errors, (p)->file, (p)->line, __VA_ARGS__)

/* Cuts a comment off; "\#" is "#". */
static struct slice uncomment(struct arena *arena, struct slice line)
{
	if (slice_chr(line, '#') == SLICE_NPOS)
		return line;
	char *out = arena_alloc(arena, line.len + 1);
	size_t n = 0;
	for (size_t i = 0; i < line.len; i++) {
		if (line.data[i] == '#')
			break;
		if (line.data[i] == '\\' && i + 1 < line.len && line.data[i + 1] == '#')
			i++;
		out[n++] = line.data[i];
	}
	return slice_make(out, n);
}

/* The first word, lower-cased with "_" for "-"; rest trimmed. */
static struct slice take_key(struct arena *arena, struct slice line, struct slice *rest_r)
{
	size_t n = 0;
	while (n < line.len && !ascii_is_space(line.data[n]))
		n++;
	char *key = arena_str(arena, slice_head(line, n));
	for (size_t i = 0; i < n; i++)
		key[i] = key[i] == '-' ? '_' : ascii_lower(key[i]);
	*rest_r = slice_trim(slice_from(line, n));
	return slice_make(key, n);
}

static struct slice take_word(struct slice *rest)
{
	struct slice s = slice_trim_left(*rest);
	size_t n = 0;
	while (n < s.len && !ascii_is_space(s.data[n]))
		n++;
	*rest = slice_trim_left(slice_from(s, n));
	return slice_head(s, n);
}

static bool language_is(const struct parser *p, struct slice wanted)
{
	const char *ours = p->options->language ? p->options->language : "en_US";
	return slice_starts_nocase(slice_str(ours), wanted);
}

static void push_conditional(struct parser *p, bool truth, const char *why)
{
	if (p->depth == RULE_IF_DEPTH) {
		parse_error(p, "conditionals nested more than %u deep", RULE_IF_DEPTH);
		p->skip_file = true;
		return;
	}
	p->conditionals[p->depth++] = (struct conditional){
		.outer_skips = p->skip, .own = truth, .line = p->line, .why = why,
	};
	p->skip = p->skip || !truth;
}

static void on_ifplugin(struct parser *p, struct slice value)
{
	struct slice name = take_word(&value);
	bool loaded = rule_plugin_loaded(name);
	const char *why = NULL;
	if (!loaded)
		why = arena_printf(p->table->arena, "needs %.*s", SLICE_ARG(name)).data;
	if (name.len == 0)
		parse_error(p, "ifplugin needs the name of a plugin");
	push_conditional(p, loaded, why);
}

static void on_if(struct parser *p, struct slice value)
{
	bool truth = false;
	const char *error = NULL, *why = NULL;
	if (!rule_condition_eval(p->table->arena, value, p->options->net, &truth, &error))
		parse_error(p, "condition: %s", error);
	if (!truth && slice_starts(value, SLICE("plugin")))
		why = arena_printf(p->table->arena, "needs %.*s", SLICE_ARG(value)).data;
	push_conditional(p, truth, why);
}

static void on_else(struct parser *p, struct slice value)
{
	(void)value;
	if (p->depth == 0) {
		parse_error(p, "else without if");
		return;
	}
	struct conditional *c = &p->conditionals[p->depth - 1];
	if (c->has_else)
		parse_error(p, "second else of the if in line %u", c->line);
	c->has_else = true;
	c->own = !c->own;
	c->why = NULL;
	p->skip = c->outer_skips || !c->own;
}

static void on_endif(struct parser *p, struct slice value)
{
	(void)value;
	if (p->depth == 0) {
		parse_error(p, "endif without if");
		return;
	}
	p->skip = p->conditionals[--p->depth].outer_skips;
}

static bool is_being_read(const struct parser *p, struct slice path)
{
	for (; p != NULL; p = p->outer)
		if (slice_eq(p->file, path))
			return true;
	return false;
}

static void on_include(struct parser *p, struct slice value)
{
	if (p->skip)
		return;
	if (value.len == 0) {
		parse_error(p, "include without the name of a file");
		return;
	}
	struct slice path = value;
	size_t slash = slice_rchr(p->file, '/');
	if (value.len > 0 && value.data[0] != '/' && slash != SLICE_NPOS)
		path = arena_printf(p->table->arena, "%.*s/%.*s", SLICE_ARG(slice_head(p->file, slash)),
				    SLICE_ARG(value));
	if (is_being_read(p, path))
		parse_error(p, "%.*s: includes itself", SLICE_ARG(path));
	else if (p->includes >= RULE_INCLUDE_DEPTH)
		parse_error(p, "includes nested more than %u deep", RULE_INCLUDE_DEPTH);
	else
		parse_file(p, p->table, arena_str(p->table->arena, path), p->options);
}

static void on_require_version(struct parser *p, struct slice value)
{
	if (p->skip || slice_starts(value, SLICE("@@")))
		return;
	/* 3.x files run on 4.x in practice, and SpamAssassin refuses them only
	 * for its own installation's sake: a newer one than we know is refused. */
	double wanted = strtod(arena_str(p->table->arena, value), NULL);
	if (wanted > SPAMASSASSIN_VERSION_NUMBER + 0.0000005) {
		parse_error(p, "needs SpamAssassin %.*s, this is the language of " SPAMASSASSIN_VERSION,
			    SLICE_ARG(value));
		p->skip_file = true;
	}
}

static const struct {
	const char *key;
	void (*fn)(struct parser *, struct slice value);
} structure[] = {
	{ "ifplugin", on_ifplugin },
	{ "if", on_if },
	{ "else", on_else },
	{ "endif", on_endif },
	{ "include", on_include },
	{ "require_version", on_require_version },
};

/* The plugin whose absence is the only reason that we skip here, or NULL. */
static const char *missing_plugin(const struct parser *p)
{
	const char *why = NULL;
	for (size_t i = 0; i < p->depth; i++) {
		if (p->conditionals[i].own)
			continue;
		if (p->conditionals[i].why == NULL)
			return NULL;
		why = p->conditionals[i].why;
	}
	return why;
}

static void parse_line(struct parser *p, struct slice text)
{
	struct arena *arena = p->table->arena;
	struct slice line = slice_trim(uncomment(arena, text)), value;
	if (line.len == 0)
		return;
	struct slice key = take_key(arena, line, &value);
	if (slice_eq(key, SLICE("lang"))) {
		struct slice language = take_word(&value);
		if (!language_is(p, language))
			return;
		key = take_key(arena, value, &value);
	}
	for (size_t i = 0; i < sizeof(structure) / sizeof(*structure); i++)
		if (slice_eq(key, slice_str(structure[i].key))) {
			structure[i].fn(p, value);
			return;
		}
	const char *why = p->skip ? missing_plugin(p) : NULL;
	if (p->skip && why == NULL)
		return;
	struct rule_line out = {
		.table = p->table, .key = key, .value = value, .file = p->file, .line = p->line,
		.skipped = p->skip, .why = why,
	};
	rule_directive(&out);
}

static void parse_lines(struct parser *p, struct slice text)
{
	struct slice line;
	text = arena_copy(p->table->arena, text); /* rules keep slices of it */
	while (!p->skip_file && text.len > 0 && slice_split(&text, '\n', &line)) {
		p->line++;
		if (line.len > 0 && line.data[line.len - 1] == '\r')
			line.len--;
		if (memchr(line.data ? line.data : "", '\0', line.len) != NULL)
			parse_error(p, "NUL byte");
		else
			parse_line(p, line);
	}
	for (size_t i = p->depth; i > 0 && !p->skip_file; i--)
		config_error_add(p->table->errors, p->file, p->conditionals[i - 1].line, "if without endif");
	p->table->files++;
	p->table->lines += p->line;
}

void rule_parse_text(struct rule_table *table, struct slice file, struct slice text,
		     const struct rule_parse_options *options)
{
	struct parser p = { .table = table, .options = options };
	p.file = arena_copy(table->arena, file);
	parse_lines(&p, text);
}

/* Of a file as a whole: at the line that includes it, if one does. */
static void file_error(const struct parser *outer, struct rule_table *table, const char *path, const char *why)
{
	if (outer != NULL)
		parse_error(outer, "%s: %s", path, why);
	else
		config_error_add(table->errors, slice_str(path), 0, "%s", why);
}

static bool read_whole(const struct parser *outer, struct rule_table *table, const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		file_error(outer, table, path, strerror(errno));
		return false;
	}
	ssize_t n = 0;
	while (out->len <= RULE_FILE_MAX && (n = read(fd, buf_reserve(out, 65536), 65536)) > 0)
		out->len += (size_t)n;
	int error = errno;
	close(fd);
	if (n < 0)
		file_error(outer, table, path, strerror(error));
	else if (out->len > RULE_FILE_MAX)
		file_error(outer, table, path, "larger than 32 MB");
	return n >= 0 && out->len <= RULE_FILE_MAX;
}

static void parse_file(const struct parser *outer, struct rule_table *table, const char *path,
		       const struct rule_parse_options *options)
{
	struct buf text = { 0 };
	if (read_whole(outer, table, path, &text)) {
		struct parser p = { .table = table, .options = options, .outer = outer };
		p.includes = outer ? outer->includes + 1 : 0;
		p.file = slice_str(arena_str(table->arena, slice_str(path)));
		parse_lines(&p, buf_slice(&text));
	}
	buf_free(&text);
}

static int is_rule_file(const struct dirent *entry)
{
	struct slice name = slice_str(entry->d_name);
	return name.data[0] != '.' && slice_ends(name, SLICE(".cf"));
}

static void parse_folder(struct rule_table *table, const char *path, const struct rule_parse_options *options)
{
	struct dirent **entries;
	int n = scandir(path, &entries, is_rule_file, alphasort);
	if (n < 0) {
		config_error_add(table->errors, slice_str(path), 0, "%s", strerror(errno));
		return;
	}
	for (int i = 0; i < n; i++) {
		struct slice file = arena_printf(table->arena, "%s/%s", path, entries[i]->d_name);
		parse_file(NULL, table, file.data, options);
		free(entries[i]);
	}
	free(entries);
}

void rule_parse_path(struct rule_table *table, const char *path, const struct rule_parse_options *options)
{
	struct stat st;
	if (stat(path, &st) != 0)
		config_error_add(table->errors, slice_str(path), 0, "%s", strerror(errno));
	else if (S_ISDIR(st.st_mode))
		parse_folder(table, path, options);
	else
		parse_file(NULL, table, path, options);
}
