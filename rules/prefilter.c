#include "rules/prefilter.h"

#include <dirent.h>
#include <fcntl.h>
#include <hs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"

/* Of a cache file: what it is, and the version of this layout. */
#define CACHE_MAGIC "GHPF0002"
#define CACHE_FILE_MAX PREFILTER_CACHE_MAX
#define HALF_WRITTEN_S 3600

enum { KIND_STRINGS = 1, KIND_PATTERNS = 2 };

struct prefilter {
	hs_database_t *db;
};

struct prefilter_scratch {
	hs_scratch_t *scratch;
};

struct cache_head {
	char magic[8];
	uint64_t key;          /* of the content, library and processor */
	uint64_t length;
	uint64_t sum;          /* of the bytes behind */
	uint64_t taken;        /* of these, bytes of taken[] that come first */
};

bool prefilter_available(void)
{
	return hs_valid_platform() == HS_SUCCESS;
}

static void free_prefilter(void *arg)
{
	struct prefilter *prefilter = arg;
	hs_free_database(prefilter->db);
}

static struct prefilter *own(struct arena *arena, hs_database_t *db)
{
	struct prefilter *prefilter = arena_new(arena, struct prefilter);
	prefilter->db = db;
	arena_on_reset(arena, free_prefilter, prefilter);
	return prefilter;
}

/* ---- cache ---- */

static uint64_t mix(uint64_t hash, uint64_t value)
{
	return (hash ^ value) * 0x100000001b3u;
}

static uint64_t key_of(const struct prefilter_entry *list, size_t count, uint64_t kind)
{
	hs_platform_info_t platform;
	uint64_t key = mix(slice_hash(slice_str(hs_version())), kind);
	memset(&platform, 0, sizeof(platform));
	if (hs_populate_platform(&platform) == HS_SUCCESS)
		key = mix(mix(key, platform.tune), platform.cpu_features);
	for (size_t i = 0; i < count; i++) {
		key = mix(key, slice_hash(list[i].text));
		key = mix(key, list[i].flags);
		key = mix(key, list[i].id);
		key = mix(key, list[i].text.len);
	}
	return key;
}

static bool read_fully(int fd, void *out, size_t len)
{
	size_t done = 0;
	while (done < len) {
		ssize_t n = read(fd, (char *)out + done, len - done);
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static bool write_fully(int fd, const void *data, size_t len)
{
	size_t done = 0;
	while (done < len) {
		ssize_t n = write(fd, (const char *)data + done, len - done);
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static bool cache_read(int fd, uint64_t key, bool *taken, size_t count, hs_database_t **db_r)
{
	struct cache_head head;
	if (!read_fully(fd, &head, sizeof(head)) || memcmp(head.magic, CACHE_MAGIC, 8) != 0 || head.key != key ||
	    head.length > CACHE_FILE_MAX || head.taken != count || head.length < count)
		return false;
	char *bytes = xmalloc((size_t)head.length);
	bool good = read_fully(fd, bytes, (size_t)head.length) &&
		    slice_hash(slice_make(bytes, (size_t)head.length)) == head.sum;
	if (good && head.length > count &&
	    hs_deserialize_database(bytes + count, (size_t)head.length - count, db_r) != HS_SUCCESS)
		good = false;
	for (size_t i = 0; good && i < count; i++)
		taken[i] = bytes[i] != 0;
	free(bytes);
	return good;
}

/* *db_r: NULL if what was kept is that there is none. The time of the file
 * tells when it was last of use. */
static bool cache_get(const char *dir, uint64_t key, bool *taken, size_t count, hs_database_t **db_r)
{
	char path[4096];
	*db_r = NULL;
	if (dir == NULL || snprintf(path, sizeof(path), "%s/%016lx.hs", dir, (unsigned long)key) >= (int)sizeof(path))
		return false;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return false;
	bool good = cache_read(fd, key, taken, count, db_r);
	futimens(fd, NULL);
	close(fd);
	return good;
}

struct cache_file {
	char name[64];
	struct timespec used;
	off_t size;
};

static int by_use(const void *a, const void *b)
{
	const struct cache_file *x = a, *y = b;
	if (x->used.tv_sec != y->used.tv_sec)
		return x->used.tv_sec > y->used.tv_sec ? -1 : 1;
	return x->used.tv_nsec > y->used.tv_nsec ? -1 : x->used.tv_nsec < y->used.tv_nsec;
}

/* Ours alone: sixteen digits and ".hs"; behind that, what a dead process left half written. */
static bool is_cache_file(const char *name)
{
	return strspn(name, "0123456789abcdef") == 16 && strncmp(name + 16, ".hs", 3) == 0 &&
	       (name[19] == '\0' || name[19] == '.') && strlen(name) < sizeof(((struct cache_file *)0)->name);
}

/* Removes the files that were of use longest ago, so that the rest fit. */
static void cache_sweep(const char *dir)
{
	struct cache_file *list = NULL;
	size_t count = 0, cap = 0;
	DIR *d = opendir(dir);
	const struct dirent *entry;
	while (d != NULL && (entry = readdir(d)) != NULL) {
		struct stat s;
		if (!is_cache_file(entry->d_name) || fstatat(dirfd(d), entry->d_name, &s, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		if (count == cap)
			list = xrealloc(list, (cap = cap ? cap * 2 : 32) * sizeof(*list));
		list[count] = (struct cache_file){ .used = s.st_mtim, .size = s.st_size };
		memcpy(list[count++].name, entry->d_name, strlen(entry->d_name) + 1);
	}
	if (count > 0)
		qsort(list, count, sizeof(*list), by_use);
	uint64_t total = 0;
	for (size_t i = 0; i < count; i++) {
		bool half = list[i].name[19] != '\0' && list[i].used.tv_sec < time(NULL) - HALF_WRITTEN_S;
		total += (uint64_t)list[i].size;
		if (half || total > PREFILTER_CACHE_MAX)
			unlinkat(dirfd(d), list[i].name, 0);
	}
	free(list);
	if (d != NULL)
		closedir(d);
}

/* Written beside and renamed: a reader sees all of it or nothing. A cache that
 * can't be written is no error. */
static void cache_put(const char *dir, uint64_t key, const hs_database_t *db, const bool *taken, size_t count)
{
	char path[4096], temporary[4160];
	char *bytes = NULL;
	size_t len = 0;
	if (dir == NULL || snprintf(path, sizeof(path), "%s/%016lx.hs", dir, (unsigned long)key) >= (int)sizeof(path))
		return;
	if (db != NULL && hs_serialize_database(db, &bytes, &len) != HS_SUCCESS)
		return;
	snprintf(temporary, sizeof(temporary), "%s.%ld", path, (long)getpid());
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd >= 0) {
		struct buf out = { 0 };
		for (size_t i = 0; i < count; i++)
			buf_add_char(&out, taken[i]);
		buf_add(&out, bytes, len);
		struct cache_head head = { .key = key, .length = out.len, .taken = count };
		head.sum = slice_hash(buf_slice(&out));
		memcpy(head.magic, CACHE_MAGIC, 8);
		bool ok = write_fully(fd, &head, sizeof(head)) && write_fully(fd, out.data, out.len);
		buf_free(&out);
		ok = close(fd) == 0 && ok;
		if (!ok || rename(temporary, path) != 0)
			unlink(temporary);
		cache_sweep(dir);
	}
	free(bytes);
}

/* ---- compilation ---- */

struct inputs {
	const char **texts;
	size_t *lengths;
	unsigned *flags, *ids;
	unsigned count;
};

static void inputs_create(struct inputs *in, size_t count)
{
	in->texts = xcalloc(count, sizeof(*in->texts));
	in->lengths = xcalloc(count, sizeof(*in->lengths));
	in->flags = xcalloc(count, sizeof(*in->flags));
	in->ids = xcalloc(count, sizeof(*in->ids));
	in->count = 0;
}

static void inputs_free(struct inputs *in)
{
	free(in->texts);
	free(in->lengths);
	free(in->flags);
	free(in->ids);
}

static const char *compile_error(struct arena *arena, hs_compile_error_t *error)
{
	const char *text = arena_printf(arena, "vectorscan: %s", error ? error->message : "failed").data;
	hs_free_compile_error(error);
	return text;
}

struct prefilter *prefilter_strings(struct arena *arena, const struct prefilter_entry *list, size_t count,
				    const char *cache_dir, const char **error_r)
{
	uint64_t key = key_of(list, count, KIND_STRINGS);
	hs_database_t *db = NULL;
	if (cache_get(cache_dir, key, NULL, 0, &db) && db != NULL)
		return own(arena, db);
	struct inputs in;
	inputs_create(&in, count);
	for (size_t i = 0; i < count; i++) {
		in.texts[i] = list[i].text.data;
		in.lengths[i] = list[i].text.len;
		in.flags[i] = HS_FLAG_CASELESS;
		in.ids[i] = list[i].id;
	}
	hs_compile_error_t *error = NULL;
	hs_error_t rc = hs_compile_lit_multi(in.texts, in.flags, in.ids, in.lengths, (unsigned)count, HS_MODE_BLOCK,
					     NULL, &db, &error);
	inputs_free(&in);
	if (rc != HS_SUCCESS) {
		*error_r = compile_error(arena, error);
		return NULL;
	}
	cache_put(cache_dir, key, db, NULL, 0);
	return own(arena, db);
}

static unsigned hs_flags(unsigned flags)
{
	unsigned out = HS_FLAG_PREFILTER | HS_FLAG_ALLOWEMPTY | HS_FLAG_MULTILINE;
	if (flags & PATTERN_I)
		out |= HS_FLAG_CASELESS;
	if (flags & PATTERN_S)
		out |= HS_FLAG_DOTALL;
	return out;
}

/* vectorscan reads C strings and has no /x of its own. */
static char *hs_source(const struct prefilter_entry *entry)
{
	struct buf out = { 0 };
	if (entry->flags & PATTERN_X)
		buf_add_str(&out, "(?x)");
	buf_add_slice(&out, entry->text);
	buf_cstr(&out);
	return out.data;
}

/* \A, \z, \Z, \G: the ends of the text, which are not those of the joined one. */
static bool asks_for_ends(struct slice source)
{
	for (size_t i = 0; i + 1 < source.len; i++)
		if (source.data[i] == '\\') {
			i++;
			if (strchr("AzZG", source.data[i]) != NULL)
				return true;
		}
	return false;
}

bool prefilter_takes(const struct prefilter_entry *entry)
{
	hs_compile_error_t *error = NULL;
	hs_expr_info_t *info = NULL;
	if ((entry->flags & (PATTERN_XX | PATTERN_N)) || asks_for_ends(entry->text))
		return false;
	char *source = hs_source(entry);
	bool ok = strlen(source) >= entry->text.len &&
		  hs_expression_info(source, hs_flags(entry->flags), &info, &error) == HS_SUCCESS;
	free(source);
	free(info);
	hs_free_compile_error(error);
	return ok;
}

static hs_database_t *compile_patterns(const struct prefilter_entry *list, const bool *taken, size_t count,
				       int *bad_r, hs_compile_error_t **error_r)
{
	struct inputs in;
	hs_database_t *db = NULL;
	inputs_create(&in, count);
	for (size_t i = 0; i < count; i++) {
		if (!taken[i])
			continue;
		in.texts[in.count] = hs_source(&list[i]);
		in.flags[in.count] = hs_flags(list[i].flags);
		in.ids[in.count] = (unsigned)i;
		in.count++;
	}
	hs_error_t rc = hs_compile_multi(in.texts, in.flags, in.ids, in.count, HS_MODE_BLOCK, NULL, &db, error_r);
	*bad_r = -1;
	if (rc != HS_SUCCESS && *error_r != NULL && (*error_r)->expression >= 0 &&
	    (unsigned)(*error_r)->expression < in.count)
		*bad_r = (int)in.ids[(*error_r)->expression];
	for (unsigned i = 0; i < in.count; i++)
		free((void *)(uintptr_t)in.texts[i]);
	inputs_free(&in);
	return rc == HS_SUCCESS ? db : NULL;
}

struct prefilter *prefilter_patterns(struct arena *arena, const struct prefilter_entry *list, size_t count,
				     bool *taken, const char **error_r)
{
	size_t left = 0;
	hs_database_t *db = NULL;
	for (size_t i = 0; i < count; i++) {
		taken[i] = taken[i] && prefilter_takes(&list[i]);
		left += taken[i];
	}
	while (db == NULL && left > 0) {
		hs_compile_error_t *error = NULL;
		int bad;
		db = compile_patterns(list, taken, count, &bad, &error);
		if (db == NULL && bad < 0) {
			*error_r = compile_error(arena, error);
			return NULL;
		}
		hs_free_compile_error(error);
		if (db == NULL) {
			taken[bad] = false;
			left--;
		}
	}
	if (db == NULL) {
		*error_r = "vectorscan takes none of the patterns";
		return NULL;
	}
	return own(arena, db);
}

void prefilter_keep(const char *cache_dir, const struct prefilter_entry *list, size_t count, const bool *taken,
		    const struct prefilter *prefilter)
{
	cache_put(cache_dir, key_of(list, count, KIND_PATTERNS), prefilter != NULL ? prefilter->db : NULL, taken, count);
}

bool prefilter_recall(struct arena *arena, const char *cache_dir, const struct prefilter_entry *list, size_t count,
		      bool *taken, struct prefilter **prefilter_r)
{
	hs_database_t *db = NULL;
	*prefilter_r = NULL;
	if (!cache_get(cache_dir, key_of(list, count, KIND_PATTERNS), taken, count, &db))
		return false;
	if (db != NULL)
		*prefilter_r = own(arena, db);
	return true;
}

/* ---- scanning ---- */

struct prefilter_scratch *prefilter_scratch_create(const struct prefilter *const *list, size_t count)
{
	struct prefilter_scratch *scratch = xcalloc(1, sizeof(*scratch));
	for (size_t i = 0; i < count; i++)
		if (list[i] != NULL && hs_alloc_scratch(list[i]->db, &scratch->scratch) != HS_SUCCESS)
			abort();
	return scratch;
}

void prefilter_scratch_free(struct prefilter_scratch **scratch)
{
	if (*scratch == NULL)
		return;
	hs_free_scratch((*scratch)->scratch);
	free(*scratch);
	*scratch = NULL;
}

struct scan {
	bool (*found)(void *, uint32_t, size_t);
	void *context;
};

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *arg)
{
	const struct scan *scan = arg;
	(void)from;
	(void)flags;
	return scan->found(scan->context, id, (size_t)to) ? 0 : 1;
}

bool prefilter_scan(const struct prefilter *prefilter, struct prefilter_scratch *scratch, struct slice text,
		    bool (*found)(void *, uint32_t, size_t), void *context)
{
	struct scan scan = { found, context };
	if (text.len > UINT32_MAX)
		return false;
	hs_error_t rc = hs_scan(prefilter->db, text.data ? text.data : "", (unsigned)text.len, 0, scratch->scratch,
				on_match, &scan);
	return rc == HS_SUCCESS || rc == HS_SCAN_TERMINATED;
}
