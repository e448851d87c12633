/* Includes libconfuse, which keeps its state in globals: one reader at a time. */
#include "base/settings.h"

#include <confuse.h>
#include <pthread.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/settings_match.h"
#include "base/settings_value.h"

#define MESSAGE_MAX 1000u
#define MAX_ERRORS 100

struct settings_file {
	struct arena *arena;
	struct section_values *list; /* [0] is the top */
	size_t count;
	struct instances instances;  /* the written ones; list begins with theirs */
	struct tokens tokens;
};

/* What one reading needs. */
struct reader {
	struct arena *arena;
	struct settings_file *file;
	const struct section *top;
	const struct section *const *sections;
	const struct token **lines;  /* the token on each line of libconfuse's text */
	size_t line_count;
	struct config_errors *errors;
};

static pthread_mutex_t confuse_lock = PTHREAD_MUTEX_INITIALIZER;
static struct reader *confuse_reader; /* libconfuse's error function gets no argument of ours */

static void add_error(struct config_errors *errors, struct config_error error)
{
	if (errors->count == errors->cap) {
		size_t cap = errors->cap ? errors->cap * 2 : 16;
		struct config_error *list = arena_array(errors->arena, struct config_error, cap);
		if (errors->count > 0)
			memcpy(list, errors->list, errors->count * sizeof(*list));
		errors->list = list;
		errors->cap = cap;
	}
	errors->list[errors->count++] = error;
}

/* A value of megabytes stands in the middle; what is wrong with it, at the end. */
static struct slice shortened(struct arena *arena, struct slice text)
{
	if (text.len <= MESSAGE_MAX)
		return arena_copy(arena, text);
	return arena_printf(arena, "%.*s [...] %.*s", SLICE_ARG(slice_head(text, MESSAGE_MAX / 2)),
			    SLICE_ARG(slice_from(text, text.len - MESSAGE_MAX / 2)));
}

void config_error_add(struct config_errors *errors, struct slice file, unsigned line, const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list ap;
	errors->total++;
	if (errors->count > MAX_ERRORS)
		return;
	va_start(ap, fmt);
	if (errors->count == MAX_ERRORS)
		buf_add_str(&text, "there are more errors");
	else
		buf_vprintf(&text, fmt, ap);
	va_end(ap);
	struct slice message = shortened(errors->arena, buf_slice(&text));
	add_error(errors, (struct config_error){ arena_copy(errors->arena, file), line, message });
	buf_free(&text);
}

static void on_confuse_error(cfg_t *cfg, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
static void on_confuse_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	const struct reader *r = confuse_reader;
	char text[512];
	size_t line = cfg->line > 0 ? (size_t)cfg->line - 1 : 0;
	const struct token *t = line < r->line_count ? r->lines[line] : NULL;
	vsnprintf(text, sizeof(text), fmt, ap);
	config_error_add(r->errors, t ? t->file : SLICE_EMPTY, t ? t->line : 0, "%s", text);
}

static size_t add_options(cfg_opt_t *options, const struct section *section)
{
	size_t n = settings_count(section);
	for (size_t i = 0; i < n; i++) {
		const struct setting *s = &section->settings[i];
		options[i] = setting_is_list(s->type) ? (cfg_opt_t)CFG_STR_LIST(s->name, NULL, CFGF_NODEFAULT)
					: (cfg_opt_t)CFG_STR(s->name, NULL, CFGF_NODEFAULT);
	}
	return n;
}

/* libconfuse's description of the tables. */
static cfg_opt_t *describe(struct reader *r)
{
	size_t sections = 0, n;
	while (r->sections[sections] != NULL)
		sections++;
	cfg_opt_t *all = arena_array(r->arena, cfg_opt_t, settings_count(r->top) + sections + 1);
	n = add_options(all, r->top);
	for (size_t i = 0; i < sections; i++) {
		const struct section *s = r->sections[i];
		cfg_opt_t *options = arena_array(r->arena, cfg_opt_t, settings_count(s) + 1);
		options[add_options(options, s)] = (cfg_opt_t)CFG_END();
		all[n++] = (cfg_opt_t)CFG_SEC(s->name, options,
					      s->titled ? CFGF_MULTI | CFGF_TITLE : CFGF_NONE);
	}
	all[n] = (cfg_opt_t)CFG_END();
	return all;
}

static void add_line(struct reader *r, struct buf *out, const struct token *t)
{
	r->lines[r->line_count++] = t;
	if (t->kind == TOKEN_WORD || t->kind == TOKEN_STRING)
		lexer_add_quoted(out, t->text);
	else
		buf_add_slice(out, t->text);
	buf_add_char(out, '\n');
}

/* `filter spf {`: to libconfuse that is one untitled section. */
static void add_joined(struct reader *r, struct buf *out, const struct instance *in)
{
	r->lines[r->line_count++] = in->begin;
	lexer_add_quoted(out, slice_str(in->section->name));
	buf_add_char(out, '\n');
}

/* The kept tokens for libconfuse, one a line. */
static void write_text(struct reader *r, const bool *skip, struct buf *out)
{
	const struct tokens *tokens = &r->file->tokens;
	size_t next = 1; /* instance that begins next */
	int depth = 0;
	r->lines = arena_array(r->arena, const struct token *, tokens->count + 1);
	for (size_t i = 0; i < tokens->count; i++) {
		const struct token *t = &tokens->list[i];
		if (skip[i])
			continue;
		depth += (t->kind == TOKEN_OPEN) - (t->kind == TOKEN_CLOSE);
		if (next < r->file->instances.count && r->file->instances.list[next].begin == t) {
			const struct instance *in = &r->file->instances.list[next++];
			if (slice_chr(slice_str(in->section->name), ' ') != SLICE_NPOS) {
				add_joined(r, out, in);
				i++; /* the second word */
				continue;
			}
		}
		add_line(r, out, t);
	}
	while (depth-- > 0) /* the text ended within a section; that is reported already */
		buf_add_str(out, "}\n");
}

static cfg_t *find_values(cfg_t *cfg, const struct instance *in)
{
	if (in->begin == NULL)
		return cfg;
	if (in->section->titled)
		return cfg_gettsec(cfg, in->section->name, in->title.data);
	return cfg_getsec(cfg, in->section->name);
}

struct place {
	struct reader *reader;
	const struct written *written;
};

static void on_bad_value(void *arg, size_t item, const char *why)
{
	const struct place *at = arg;
	const struct token *t = at->written->values[item];
	config_error_add(at->reader->errors, t->file, t->line, "%.*s: %s",
			 SLICE_ARG(at->written->name->text), why);
}

static void read_setting(struct reader *r, cfg_t *cfg, const struct setting *s, const struct written *w,
			 void *dest)
{
	size_t count = 0;
	cfg_opt_t *option = cfg_getopt(cfg, s->name);
	struct slice *items = arena_array(r->arena, struct slice, w->count);
	for (; option != NULL && count < w->count && count < cfg_opt_size(option); count++)
		items[count] = slice_str(cfg_opt_getnstr(option, (unsigned)count));
	struct place at = { r, w };
	settings_convert(r->arena, s, items, count, dest, on_bad_value, &at);
}

static void set_missing(struct reader *r, const struct instance *in, const struct setting *s, void *dest)
{
	if (!s->required) {
		settings_default(r->arena, s, dest);
		return;
	}
	if (in->begin != NULL && !in->partial)
		config_error_add(r->errors, in->begin->file, in->begin->line, "%s%s%.*s: %s is missing",
				 in->section->name, in->title.len ? " " : "", SLICE_ARG(in->title), s->name);
}

/* cfg NULL: nothing of it is written. */
static struct section_values read_instance(struct reader *r, const struct instance *in, cfg_t *cfg)
{
	struct section_values v = { .section = in->section, .title = in->title };
	v.values = arena_alloc(r->arena, in->section->size);
	if (in->begin != NULL) {
		v.file = in->begin->file;
		v.line = in->begin->line;
	}
	if (in->section->titled)
		*(struct slice *)v.values = in->title;
	for (size_t i = 0; i < settings_count(in->section); i++) {
		const struct setting *s = &in->section->settings[i];
		void *dest = (char *)v.values + s->offset;
		if (cfg != NULL && in->written[i].name != NULL)
			read_setting(r, cfg, s, &in->written[i], dest);
		else
			set_missing(r, in, s, dest);
	}
	return v;
}

static bool is_written(const struct reader *r, const struct section *section)
{
	for (size_t i = 1; i < r->file->instances.count; i++)
		if (r->file->instances.list[i].section == section)
			return true;
	return false;
}

static void read_instances(struct reader *r, cfg_t *cfg)
{
	size_t sections = 0;
	struct settings_file *f = r->file;
	while (r->sections[sections] != NULL)
		sections++;
	f->list = arena_array(r->arena, struct section_values, r->file->instances.count + sections);
	for (size_t i = 0; i < r->file->instances.count; i++) {
		const struct instance *in = &r->file->instances.list[i];
		f->list[f->count++] = read_instance(r, in, find_values(cfg, in));
	}
	for (size_t i = 0; i < sections; i++) {
		struct instance in = { .section = r->sections[i] };
		if (!in.section->titled && !is_written(r, in.section))
			f->list[f->count++] = read_instance(r, &in, NULL);
	}
}

static void parse(struct reader *r, const bool *skip)
{
	struct buf text = { 0 };
	cfg_opt_t *options = describe(r);
	write_text(r, skip, &text);
	pthread_mutex_lock(&confuse_lock);
	confuse_reader = r;
	cfg_t *cfg = cfg_init(options, CFGF_NONE);
	cfg_set_error_function(cfg, on_confuse_error);
	size_t before = r->errors->total;
	if (cfg_parse_buf(cfg, buf_cstr(&text)) != CFG_SUCCESS && r->errors->total == before)
		config_error_add(r->errors, SLICE_EMPTY, 0, "libconfuse can't read the configuration");
	read_instances(r, cfg);
	cfg_free(cfg);
	confuse_reader = NULL;
	pthread_mutex_unlock(&confuse_lock);
	buf_free(&text);
}

/* Where the place of an error comes in the order of reading. */
static size_t reading_order(const struct tokens *tokens, const struct config_error *e)
{
	for (size_t i = 0; i < tokens->count; i++)
		if (tokens->list[i].line >= e->line && slice_eq(tokens->list[i].file, e->file))
			return i;
	return tokens->count;
}

/* Insertion sort: stable, and there are few. */
static void sort_errors(struct config_errors *errors, size_t from, const struct tokens *tokens)
{
	size_t order[MAX_ERRORS + 1];
	for (size_t i = from; i < errors->count; i++) {
		struct config_error e = errors->list[i];
		size_t rank = i == MAX_ERRORS ? SIZE_MAX : reading_order(tokens, &e), k = i;
		for (; k > from && order[k - 1] > rank; k--) {
			errors->list[k] = errors->list[k - 1];
			order[k] = order[k - 1];
		}
		errors->list[k] = e;
		order[k] = rank;
	}
}

struct settings_file *settings_read(struct arena *arena, struct slice path, struct slice text,
				    const struct section *top, const struct section *const *sections,
				    struct config_errors *errors)
{
	struct settings_file *file = arena_new(arena, struct settings_file);
	struct reader r = { .arena = arena, .file = file, .top = top, .sections = sections,
			   .errors = errors };
	size_t kept = errors->count, before = errors->total;
	file->arena = arena;
	bool complete = settings_expand(arena, path, text, &file->tokens, errors);
	bool *skip = arena_array(arena, bool, file->tokens.count + 1);
	settings_match(arena, &file->tokens, complete, top, sections, &file->instances, skip, errors);
	parse(&r, skip);
	sort_errors(errors, kept, &file->tokens);
	return errors->total == before ? file : NULL;
}

const void *settings_top(const struct settings_file *file)
{
	return file->list[0].values;
}

const void *settings_get(const struct settings_file *file, const struct section *section, struct slice title)
{
	for (size_t i = 1; i < file->count; i++)
		if (file->list[i].section == section && slice_eq(file->list[i].title, title))
			return file->list[i].values;
	return NULL;
}

const struct section_values *settings_next(const struct settings_file *file, const struct section *section,
					   size_t *at)
{
	for (size_t i = *at + 1; i < file->count; i++)
		if (file->list[i].section == section) {
			*at = i;
			return &file->list[i];
		}
	return NULL;
}

void *settings_defaults(struct arena *arena, const struct section *section)
{
	char *values = arena_alloc(arena, section->size);
	for (size_t i = 0; i < settings_count(section); i++)
		settings_default(arena, &section->settings[i], values + section->settings[i].offset);
	return values;
}

static const struct token *key_token(const struct instance *in, const char *key)
{
	for (size_t i = 0; key != NULL && i < settings_count(in->section); i++)
		if (strcmp(in->section->settings[i].name, key) == 0 && in->written[i].name != NULL)
			return in->written[i].name;
	return in->begin;
}

void settings_where(const struct settings_file *file, const void *values, const char *key,
		    struct slice *file_r, unsigned *line_r)
{
	*file_r = SLICE_EMPTY;
	*line_r = 0;
	for (size_t i = 0; i < file->instances.count; i++) {
		if (file->list[i].values != values)
			continue;
		const struct token *t = key_token(&file->instances.list[i], key);
		if (t != NULL) {
			*file_r = t->file;
			*line_r = t->line;
		}
	}
}

struct slice settings_text(const struct settings_file *file)
{
	return settings_unexpand(file->arena, &file->tokens);
}
