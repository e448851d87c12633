#include "proxy/mail_source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"

#define DEPTH_MAX 32u
#define STDIN_MAX (1024u * 1024 * 1024)

struct entry {
	char *path;
	uint64_t size;
};

struct mail_source {
	struct arena *arena;
	struct entry *entries;
	size_t count, cap;
	size_t at;                /* next entry */
	uint64_t total, done;
	/* The file that is being read. */
	void *mapped;
	size_t mapped_len;
	struct buf text;          /* of standard input */
	struct slice rest;        /* of an mbox */
	const char *path;
	unsigned mbox_count;
	char *name;
	bool folder;
};

struct mail_source *mail_source_open(void)
{
	struct mail_source *s = xcalloc(1, sizeof(*s));
	s->arena = arena_create();
	return s;
}

static void close_file(struct mail_source *s)
{
	if (s->mapped != NULL)
		munmap(s->mapped, s->mapped_len);
	s->mapped = NULL;
	s->rest = SLICE_EMPTY;
	buf_clear(&s->text);
}

void mail_source_close(struct mail_source **source)
{
	struct mail_source *s = *source;
	if (s == NULL)
		return;
	close_file(s);
	buf_free(&s->text);
	free(s->entries);
	free(s->name);
	arena_destroy(&s->arena);
	free(s);
	*source = NULL;
}

static void add_entry(struct mail_source *s, const char *path, uint64_t size)
{
	if (s->count == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 64;
		s->entries = xrealloc(s->entries, s->cap * sizeof(*s->entries));
	}
	s->entries[s->count++] = (struct entry){ arena_str(s->arena, slice_str(path)), size };
	s->total += size;
}

/* Of a maildir only what has been delivered. */
static bool is_maildir(const char *path)
{
	char sub[4096];
	struct stat st;
	const char *const parts[] = { "cur", "new", "tmp" };
	for (size_t i = 0; i < 3; i++)
		if (snprintf(sub, sizeof(sub), "%s/%s", path, parts[i]) >= (int)sizeof(sub) || stat(sub, &st) != 0 ||
		    !S_ISDIR(st.st_mode))
			return false;
	return true;
}

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static bool add_path(struct mail_source *s, const char *path, unsigned depth, const char **error_r);

static bool add_folder(struct mail_source *s, const char *path, unsigned depth, const char **error_r)
{
	struct dirent **entries;
	bool maildir = is_maildir(path);
	int n = scandir(path, &entries, not_hidden, alphasort);
	if (n < 0) {
		*error_r = strerror(errno);
		return false;
	}
	s->folder = true;
	for (int i = 0; i < n; i++) {
		bool skip = maildir && strcmp(entries[i]->d_name, "tmp") == 0;
		struct slice sub = arena_printf(s->arena, "%s/%s", path, entries[i]->d_name);
		const char *ignored;
		if (!skip)
			add_path(s, sub.data, depth + 1, &ignored);
		free(entries[i]);
	}
	free(entries);
	return true;
}

static bool add_path(struct mail_source *s, const char *path, unsigned depth, const char **error_r)
{
	struct stat st;
	if (stat(path, &st) != 0) {
		*error_r = strerror(errno);
		return false;
	}
	if (S_ISDIR(st.st_mode)) {
		if (depth < DEPTH_MAX)
			return add_folder(s, path, depth, error_r);
		*error_r = "nested too deeply";
		return false;
	}
	add_entry(s, path, (uint64_t)st.st_size);
	return true;
}

bool mail_source_add(struct mail_source *s, const char *path, const char **error_r)
{
	if (strcmp(path, "-") == 0) {
		add_entry(s, "-", 0);
		return true;
	}
	return add_path(s, path, 0, error_r);
}

bool mail_source_many(const struct mail_source *s)
{
	return s->count > 1 || s->folder;
}

void mail_source_progress(const struct mail_source *s, uint64_t *done_r, uint64_t *total_r)
{
	*done_r = s->done;
	*total_r = s->total;
}

/* ---- mbox ---- */

static struct slice line_of(struct slice s)
{
	size_t end = slice_chr(s, '\n');
	return end == SLICE_NPOS ? s : slice_head(s, end);
}

/* "12:34:56" or "12:34" */
static bool is_clock(struct slice word)
{
	size_t colons = 0;
	for (size_t i = 0; i < word.len; i++) {
		if (word.data[i] == ':')
			colons++;
		else if (!ascii_is_digit(word.data[i]))
			return false;
	}
	return (colons == 1 || colons == 2) && word.len >= 4;
}

bool mbox_is_separator(struct slice s)
{
	struct slice line = slice_trim_right(line_of(s));
	if (!slice_starts(line, SLICE("From ")))
		return false;
	bool month = false, clock = false;
	struct slice rest = slice_from(line, 5), word;
	for (unsigned n = 0; n < 12 && rest.data != NULL && slice_split(&rest, ' ', &word); n++) {
		month = month || (word.len == 3 && slice_find(SLICE("JanFebMarAprMayJunJulAugSepOctNovDec"), word) % 3 == 0);
		clock = clock || (month && is_clock(word));
	}
	return month && clock;
}

/* The next separator stands behind an empty line. */
size_t mbox_mail_length(struct slice s)
{
	for (size_t from = 0; from < s.len;) {
		size_t at = slice_find(slice_from(s, from), SLICE("\nFrom "));
		if (at == SLICE_NPOS)
			return s.len;
		at += from;
		bool blank = at > 0 && (s.data[at - 1] == '\n' || (at > 1 && s.data[at - 1] == '\r' && s.data[at - 2] == '\n'));
		if (blank && mbox_is_separator(slice_from(s, at + 1)))
			return at + 1;
		from = at + 1;
	}
	return s.len;
}

/* ---- one after the other ---- */

static bool read_stdin(struct mail_source *s, const char **error_r)
{
	ssize_t n;
	while ((n = read(STDIN_FILENO, buf_reserve(&s->text, 65536), 65536)) > 0) {
		s->text.len += (size_t)n;
		if (s->text.len > STDIN_MAX) {
			*error_r = "too large";
			return false;
		}
	}
	if (n < 0)
		*error_r = strerror(errno);
	s->rest = buf_slice(&s->text);
	return n == 0;
}

static bool map_file(struct mail_source *s, const char *path, const char **error_r)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && fstat(fd, &st) == 0;
	if (ok && !S_ISREG(st.st_mode)) {
		*error_r = "not a file";
		close(fd);
		return false;
	}
	if (ok && st.st_size > 0) {
		s->mapped_len = (size_t)st.st_size;
		s->mapped = mmap(NULL, s->mapped_len, PROT_READ, MAP_PRIVATE, fd, 0);
		ok = s->mapped != MAP_FAILED;
		if (!ok)
			s->mapped = NULL;
	}
	if (!ok)
		*error_r = strerror(errno);
	if (fd >= 0)
		close(fd);
	s->rest = ok ? slice_make(s->mapped ? s->mapped : "", s->mapped ? s->mapped_len : 0) : SLICE_EMPTY;
	return ok;
}

static void take(struct mail_source *s, size_t length, bool mbox, struct mail_item *item_r)
{
	item_r->bytes = slice_head(s->rest, length);
	s->rest = slice_from(s->rest, length);
	s->mbox_count++;
	item_r->name = slice_str(s->path);
	if (mbox && (s->rest.len > 0 || s->mbox_count > 1)) {
		free(s->name);
		s->name = xmalloc(strlen(s->path) + 16);
		sprintf(s->name, "%s:%u", s->path, s->mbox_count);
		item_r->name = slice_str(s->name);
	}
	s->done += length;
}

enum mail_next mail_source_next(struct mail_source *s, struct mail_item *item_r, const char **error_r)
{
	if (s->rest.len > 0) {
		take(s, mbox_mail_length(s->rest), true, item_r);
		return MAIL_ITEM;
	}
	close_file(s);
	if (s->at == s->count)
		return MAIL_END;
	s->path = s->entries[s->at++].path;
	s->mbox_count = 0;
	if (strcmp(s->path, "-") == 0 ? !read_stdin(s, error_r) : !map_file(s, s->path, error_r)) {
		item_r->name = slice_str(s->path);
		return MAIL_ERROR;
	}
	bool mbox = mbox_is_separator(s->rest);
	take(s, mbox ? mbox_mail_length(s->rest) : s->rest.len, mbox, item_r);
	return MAIL_ITEM;
}
