#include "base/settings_expand.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

#define MAX_INCLUDE_DEPTH 16
#define MAX_TEXT (16u << 20)    /* octets of all files together */
#define MAX_TOKENS (1u << 20)

struct expand {
	struct arena *arena;
	struct tokens *tokens;
	struct config_errors *errors;
	size_t octets;
	unsigned depth;
	struct {
		dev_t dev;
		ino_t ino;
	} open[MAX_INCLUDE_DEPTH]; /* files being read, outermost first */
};

static bool expand_text(struct expand *e, struct slice file, struct slice text, bool includes);

/* Where the reader was told to go: for errors about a file that can't be read. */
struct place {
	struct slice file;
	unsigned line;
};

static bool is_cycle(const struct expand *e, const struct stat *st)
{
	for (unsigned i = 0; i < e->depth; i++)
		if (e->open[i].dev == st->st_dev && e->open[i].ino == st->st_ino)
			return true;
	return false;
}

/* Reads all of fd into out. Returns NULL or what is wrong. */
static const char *read_all(struct expand *e, int fd, struct buf *out)
{
	for (;;) {
		ssize_t n = read(fd, buf_reserve(out, 16384), 16384);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return strerror(errno);
		if (n == 0)
			return NULL;
		out->len += (size_t)n;
		e->octets += (size_t)n;
		if (e->octets > MAX_TEXT)
			return "the configuration is over 16 MB";
	}
}

/* Opens path and reads it. Returns NULL or what is wrong. */
static const char *read_file(struct expand *e, const char *path, struct stat *st, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | (e->depth > 0 ? O_NONBLOCK : 0));
	const char *why = NULL;
	if (fd < 0 || fstat(fd, st) < 0)
		why = strerror(errno);
	else if (S_ISDIR(st->st_mode))
		why = "is a folder: to read what is in it, write include \"folder/*.conf\"";
	else if (e->depth > 0 && !S_ISREG(st->st_mode))
		why = "is no regular file";
	else if (is_cycle(e, st))
		why = "includes itself";
	else
		why = read_all(e, fd, out);
	if (fd >= 0)
		close(fd);
	return why;
}

static bool expand_file(struct expand *e, struct place from, struct slice path)
{
	struct buf text = { 0 };
	struct stat st = { 0 };
	if (e->depth == MAX_INCLUDE_DEPTH) {
		config_error_add(e->errors, from.file, from.line, "include: more than %d files deep",
				 MAX_INCLUDE_DEPTH);
		return false;
	}
	const char *why = read_file(e, path.data, &st, &text);
	if (why != NULL) {
		if (from.line == 0)
			config_error_add(e->errors, path, 0, "%s", why);
		else
			config_error_add(e->errors, from.file, from.line, "%.*s: %s", SLICE_ARG(path), why);
		buf_free(&text);
		return false;
	}
	e->open[e->depth].dev = st.st_dev;
	e->open[e->depth].ino = st.st_ino;
	e->depth++;
	bool ok = expand_text(e, path, buf_slice(&text), true);
	e->depth--;
	buf_free(&text);
	return ok;
}

static bool expand_glob(struct expand *e, struct place from, struct slice pattern)
{
	glob_t found;
	int rc = glob(pattern.data, GLOB_ERR, NULL, &found);
	if (rc == GLOB_NOMATCH)
		return true;
	if (rc != 0) {
		config_error_add(e->errors, from.file, from.line, "include \"%.*s\": %s", SLICE_ARG(pattern),
				 rc == GLOB_NOSPACE ? "out of memory" : "can't read the folder");
		return false;
	}
	bool ok = true;
	for (size_t i = 0; ok && i < found.gl_pathc; i++)
		ok = expand_file(e, from, arena_copy(e->arena, slice_str(found.gl_pathv[i])));
	globfree(&found);
	return ok;
}

static bool is_pattern(struct slice path)
{
	for (size_t i = 0; i < path.len; i++)
		if (strchr("*?[", path.data[i]) != NULL)
			return true;
	return false;
}

/* path as seen from the folder of the file that names it. */
static struct slice resolve(struct arena *arena, struct slice file, struct slice path)
{
	size_t slash = slice_rchr(file, '/');
	if (slice_starts(path, SLICE("/")) || slash == SLICE_NPOS)
		return path;
	return arena_printf(arena, "%.*s/%.*s", (int)slash, file.data, SLICE_ARG(path));
}

static void syntax(struct expand *e, const struct token *t, const char *why)
{
	config_error_add(e->errors, t->file, t->line, "%s", why);
}

static bool is_text(const struct token *t)
{
	return t->kind == TOKEN_WORD || t->kind == TOKEN_STRING;
}

/* Behind the word include; *t is the token after it. */
static bool include(struct expand *e, struct lexer *l, struct token t, bool allowed)
{
	bool paren = t.kind == TOKEN_PAREN;
	if (!allowed) {
		syntax(e, &t, "include is not possible here");
		return false;
	}
	if (paren)
		t = lexer_next(l);
	struct token close = paren ? lexer_next(l) : t;
	if (!is_text(&t) || t.text.len == 0 || (paren && !slice_eq(close.text, SLICE(")")))) {
		syntax(e, &t, t.kind == TOKEN_ERROR ? t.text.data : "expected include \"path\"");
		return false;
	}
	struct place from = { t.file, t.line };
	struct slice path = resolve(e->arena, t.file, t.text);
	return is_pattern(path) ? expand_glob(e, from, path) : expand_file(e, from, path);
}

static void push(struct expand *e, const struct token *t)
{
	struct tokens *all = e->tokens;
	if (all->count == all->cap) {
		size_t cap = all->cap ? all->cap * 2 : 256;
		struct token *list = arena_array(e->arena, struct token, cap);
		if (all->count > 0)
			memcpy(list, all->list, all->count * sizeof(*list));
		all->list = list;
		all->cap = cap;
	}
	all->list[all->count++] = *t;
}

/* Follows the values of `key = …`, where include is an ordinary word. */
struct position {
	bool value; /* right behind = */
	bool list;  /* within { } of a list */
};

static void follow(struct position *p, enum token_kind kind)
{
	if (kind == TOKEN_OPEN && p->value)
		p->list = true;
	if (kind == TOKEN_CLOSE)
		p->list = false;
	p->value = kind == TOKEN_EQUALS;
}

static bool take(struct expand *e, const struct token *t)
{
	if (t->kind == TOKEN_ERROR || t->kind == TOKEN_PAREN) {
		syntax(e, t, t->kind == TOKEN_ERROR ? t->text.data : "put values that hold ( or ) in quotes");
		return false;
	}
	if (e->tokens->count == MAX_TOKENS) {
		syntax(e, t, "the configuration is too long");
		return false;
	}
	push(e, t);
	return true;
}

static bool expand_text(struct expand *e, struct slice file, struct slice text, bool includes)
{
	struct lexer l = lexer_begin(e->arena, file, text);
	struct position at = { 0 };
	struct token t = lexer_next(&l);
	includes = includes && !l.expanded;
	while (t.kind != TOKEN_END) {
		bool word = t.kind == TOKEN_WORD && !at.value && !at.list &&
			    slice_eq(t.text, SLICE("include"));
		struct token next = t.kind == TOKEN_ERROR ? t : lexer_next(&l);
		if (word && (is_text(&next) || next.kind == TOKEN_PAREN)) {
			if (!include(e, &l, next, includes))
				return false;
			t = lexer_next(&l);
			continue;
		}
		follow(&at, t.kind);
		if (!take(e, &t))
			return false;
		t = next;
	}
	return true;
}

bool settings_expand(struct arena *arena, struct slice path, struct slice text, struct tokens *tokens,
		     struct config_errors *errors)
{
	struct expand e = { .arena = arena, .tokens = tokens, .errors = errors };
	path = arena_copy(arena, path);
	if (!slice_eq(path, SLICE("-")))
		return expand_file(&e, (struct place){ path, 0 }, path);
	if (text.len > MAX_TEXT) {
		config_error_add(errors, path, 0, "the configuration is over 16 MB");
		return false;
	}
	return expand_text(&e, path, text, true);
}

struct slice settings_unexpand(struct arena *arena, const struct tokens *tokens)
{
	struct buf out = { 0 };
	struct slice file = SLICE_EMPTY;
	unsigned line = 0;
	buf_add_str(&out, SETTINGS_EXPANDED);
	for (size_t i = 0; i < tokens->count; i++) {
		const struct token *t = &tokens->list[i];
		if (t->line != line || !slice_eq(t->file, file)) {
			buf_printf(&out, "\n#line %u ", t->line);
			lexer_add_quoted(&out, t->file);
			buf_add_char(&out, '\n');
		}
		file = t->file;
		line = t->line;
		if (t->kind == TOKEN_STRING)
			lexer_add_quoted(&out, t->text);
		else
			buf_add_slice(&out, t->text);
		buf_add_char(&out, ' ');
	}
	struct slice text = arena_copy(arena, buf_slice(&out));
	buf_free(&out);
	return text;
}
