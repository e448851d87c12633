#ifndef GATEHOUSE_BASE_SETTINGS_H
#define GATEHOUSE_BASE_SETTINGS_H
/*
 * settings: typed tables over libconfuse.
 *
 * A section of the configuration is a C struct and a table that says, for
 * each key, its type, where in the struct it goes, its default (as text, read
 * by the same code) and one line of help. The table is the only place where a
 * setting is declared: parser, checks and the reference manual come from it.
 *
 * The file is read by us first (settings_lex, settings_expand: includes and
 * globs, comments, strings), each name is looked up in the tables, unknown
 * and repeated ones are refused (settings_match); what remains is handed to
 * libconfuse, one token a line, so that its lines lead back to file:line.
 * Only settings.c includes libconfuse.
 */
#include "base/arena.h"
#include "base/cidr.h"

struct slice_list {
	struct slice *items;
	size_t count;
};

struct cidr_list {
	struct cidr *items;
	size_t count;
};

/* Where to listen or connect. */
struct endpoint {
	struct slice text;     /* as written */
	struct slice path;     /* unix socket; else empty */
	struct ip ip;          /* family 0 with a host name or a unix socket */
	struct slice host;     /* a name to look up, else empty */
	uint16_t port;
};

enum setting_type {
	SETTING_STRING,    /* struct slice, NUL-terminated */
	SETTING_STRINGS,   /* struct slice_list */
	SETTING_BOOL,      /* bool: on/off, yes/no, true/false */
	SETTING_INT,       /* int64_t within min..max */
	SETTING_SIZE,      /* uint64_t bytes: 50mb, 64k, 1g (powers of 1024) */
	SETTING_TIME,      /* int64_t milliseconds: 300s, 5m, 1h, 2d, 500ms; a bare number is seconds */
	SETTING_FLOAT,     /* double within min..max */
	SETTING_ENUM,      /* int: one of values */
	SETTING_CIDRS,     /* struct cidr_list */
	SETTING_DOMAINS,   /* struct slice_list: lower case, A-labels; ".x" or "*.x" means
			      subdomains of x and becomes ".x" */
	SETTING_MODE,      /* int64_t: permissions, octal: 0660 */
	SETTING_ENDPOINT,  /* struct endpoint: 192.0.2.1:25, [::1]:25, host:25, *:25, unix:/path,
			      inet:127.0.0.1:8891 */
};

static inline bool setting_is_list(enum setting_type type)
{
	return type == SETTING_STRINGS || type == SETTING_CIDRS || type == SETTING_DOMAINS;
}

struct setting_value {
	const char *name;
	int value;
};

struct setting {
	const char *name;              /* "command-timeout"; NULL ends a table */
	enum setting_type type;
	size_t offset;
	const char *fallback;          /* default as text; NULL: zero. Lists: items separated by ", " */
	double min, max;               /* INT, FLOAT, SIZE (bytes), TIME (ms); both 0: only >= 0 */
	/* ENUM: all there are. INT, SIZE, TIME, FLOAT: words for values that
	 * need not be within min..max ("off"). Ends with name == NULL. */
	const struct setting_value *values;
	const char *help;              /* one line for the manual */
	bool required;
};

struct section {
	const char *name;              /* "listen" */
	bool titled;                   /* listen NAME { … }, may come many times */
	size_t size;                   /* of the struct; a titled one begins with struct slice title */
	const struct setting *settings; /* NULL: none */
	const char *help;
};

struct config_error {
	struct slice file;
	unsigned line;                 /* 0: the file as a whole */
	struct slice message;
};

struct config_errors {
	struct arena *arena;
	struct config_error *list;
	size_t count, cap;
	size_t total;                  /* added, those not kept included */
};
/* The first 100 are kept, and one line that says there are more. */
void config_error_add(struct config_errors *errors, struct slice file, unsigned line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* One section read from a file. */
struct section_values {
	const struct section *section;
	struct slice title;            /* empty if untitled */
	void *values;                  /* the section's struct, in the arena */
	struct slice file;
	unsigned line;                 /* where it begins; 0: not written, all defaults */
};

struct settings_file;

/*
 * Reads path ("-": text is given instead; includes are then relative to the
 * current folder) against sections; top holds the
 * keys outside any section. What is wrong goes to errors, as much of it as
 * can be found in one go; NULL then. An untitled section that is not written
 * is there with its defaults. `filter NAME` is a section of its own for each
 * name: its section.name is "filter NAME".
 */
struct settings_file *settings_read(struct arena *arena, struct slice path, struct slice text,
				    const struct section *top, const struct section *const *sections,
				    struct config_errors *errors);
const void *settings_top(const struct settings_file *file);
/* The values of an untitled section; of a titled one by title (NULL if none). */
const void *settings_get(const struct settings_file *file, const struct section *section, struct slice title);
/* Iterates titled sections in order of appearance; start with *at = 0; NULL at the end. */
const struct section_values *settings_next(const struct settings_file *file,
					   const struct section *section, size_t *at);

/* The values of a section that is not written; required settings are zero. */
void *settings_defaults(struct arena *arena, const struct section *section);
/* Where key was written among these values (of settings_top, _get or _next);
 * else where their section begins; else line 0. key NULL: the section. */
void settings_where(const struct settings_file *file, const void *values, const char *key,
		    struct slice *file_r, unsigned *line_r);

/* The expanded text: reading it again with settings_read gives the same
 * values and the same file:line (the map travels with it). */
struct slice settings_text(const struct settings_file *file);

/* The units alone, for the command line too. False: not one. */
bool setting_parse_size(struct slice text, uint64_t *bytes_r);
bool setting_parse_time(struct slice text, int64_t *ms_r);
bool setting_parse_endpoint(struct arena *arena, struct slice text, struct endpoint *endpoint_r);

#endif
