#include "message/archive_list.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <pthread.h>

#include "base/buf.h"
#include "message/charset.h"

#define BLOCK 65536u
#define TYPE_LOOK 16384u   /* octets of a file that decide its type */
#define MAX_NAME 1024u

struct signature {
	size_t at;
	struct slice bytes;
	bool single;
};

static const struct signature signatures[] = {
	{ 0, { "PK\3\4", 4 }, false }, { 0, { "PK\5\6", 4 }, false }, { 0, { "Rar!\x1a\7", 6 }, false },
	{ 0, { "7z\xbc\xaf\x27\x1c", 6 }, false }, { 0, { "MSCF", 4 }, false }, { 257, { "ustar", 5 }, false },
	{ 2, { "-lh", 3 }, false }, { 0, { "xar!", 4 }, false }, { 0, { "!<arch>", 7 }, false },
	{ 32769, { "CD001", 5 }, false }, { 0, { "07070", 5 }, false }, { 0, { "\x1f\x8b", 2 }, true },
	{ 0, { "BZh", 3 }, true }, { 0, { "\xfd" "7zXZ", 5 }, true }, { 0, { "\x28\xb5\x2f\xfd", 4 }, true },
	{ 0, { "\x1f\x9d", 2 }, true }, { 0, { "\x04\x22\x4d\x18", 4 }, true }, { 0, { "]\0\0", 3 }, true },
};

bool archive_is_one(struct slice bytes, bool *single_r)
{
	for (size_t i = 0; i < sizeof(signatures) / sizeof(*signatures); i++)
		if (slice_starts(slice_from(bytes, signatures[i].at), signatures[i].bytes)) {
			*single_r = signatures[i].single;
			return true;
		}
	return false;
}

static void add_entry(struct arena *arena, struct attachment *a, const struct archived_file *file)
{
	/* Doubling by count alone: powers of two from 8 on. */
	size_t n = a->entry_count;
	if (n == 0 || (n >= 8 && (n & (n - 1)) == 0)) {
		struct archived_file *more = arena_array(arena, struct archived_file, n == 0 ? 8 : n * 2);
		if (n > 0)
			memcpy(more, a->entries, n * sizeof(*more));
		a->entries = more;
	}
	a->entries[a->entry_count++] = *file;
}

static struct slice entry_name(struct arena *arena, struct archive_entry *e)
{
	const char *name = archive_entry_pathname_utf8(e);
	if (name == NULL)
		name = archive_entry_pathname(e);
	struct slice s = slice_head(slice_str(name), MAX_NAME);
	return charset_to_utf8(arena, arena_copy(arena, s), SLICE_EMPTY, NULL);
}

/* At most max octets of the entry's data. */
static struct slice entry_data(struct arena *arena, struct archive *archive, uint64_t max,
	struct attachment *a,
			       struct archive_budget *budget)
{
	struct buf b = { 0 };
	while (b.len < max && budget->bytes > 0) {
		size_t want = max - b.len < BLOCK ? (size_t)(max - b.len) : BLOCK;
		if (want > budget->bytes)
			want = (size_t)budget->bytes;
		ssize_t got = archive_read_data(archive, buf_reserve(&b, want), want);
		if (got < 0)
			a->archive_broken = true;
		if (got <= 0)
			break;
		b.len += (size_t)got;
		budget->bytes -= (uint64_t)got;
	}
	struct slice s = arena_copy(arena, buf_slice(&b));
	buf_free(&b);
	return s;
}

static struct archive *open_archive(struct slice bytes, bool single)
{
	struct archive *archive = archive_read_new();
	if (archive == NULL)
		return NULL;
	archive_read_support_filter_all(archive);
	archive_read_support_format_all(archive);
	if (single)
		archive_read_support_format_raw(archive);
	if (archive_read_open_memory(archive, bytes.data, bytes.len) != ARCHIVE_OK) {
		archive_read_free(archive);
		return NULL;
	}
	return archive;
}

static void list_all(struct arena *arena, struct attachment *a, int container, struct slice bytes,
		     struct archive_budget *budget, struct slice (*real_type)(struct arena *arena, struct slice bytes));

static void list_entry(struct arena *arena, struct attachment *a, int container, struct archive *archive,
		       struct archive_entry *e, struct archive_budget *budget,
		       struct slice (*real_type)(struct arena *arena, struct slice bytes))
{
	struct archived_file file = { .container = container, .name = entry_name(arena, e) };
	file.extension = attachment_extension(arena, file.name);
	file.size = archive_entry_size_is_set(e) && archive_entry_size(e) > 0 ? (uint64_t)archive_entry_size(e) : 0;
	file.directory = archive_entry_filetype(e) == AE_IFDIR;
	file.link = archive_entry_filetype(e) == AE_IFLNK;
	file.encrypted = archive_entry_is_encrypted(e);
	a->encrypted = a->encrypted || file.encrypted;
	budget->entries--;
	size_t index = a->entry_count;
	if (!file.directory && !file.encrypted && !file.link) {
		struct slice head = entry_data(arena, archive, TYPE_LOOK, a, budget);
		bool single;
		file.real_type = real_type(arena, head);
		if (archive_is_one(head, &single) && budget->depth > 0) {
			struct slice rest = entry_data(arena, archive, budget->bytes, a, budget);
			char *all = arena_alloc(arena, head.len + rest.len + 1);
			memcpy(all, head.data, head.len);
			memcpy(all + head.len, rest.data, rest.len);
			add_entry(arena, a, &file);
			budget->depth--;
			list_all(arena, a, (int)index, slice_make(all, head.len + rest.len), budget, real_type);
			budget->depth++;
			return;
		}
	}
	add_entry(arena, a, &file);
}

/* libarchive gives names in the locale's charset: let that be one that holds them all. */
static locale_t utf8_locale;

static void make_locale(void)
{
	utf8_locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

void archive_list_preload(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, make_locale);
}

static locale_t enter_locale(void)
{
	archive_list_preload();
	return utf8_locale != (locale_t)0 ? uselocale(utf8_locale) : uselocale((locale_t)0);
}

static void list_all(struct arena *arena, struct attachment *a, int container, struct slice bytes,
		     struct archive_budget *budget, struct slice (*real_type)(struct arena *arena, struct slice bytes))
{
	bool single;
	if (!archive_is_one(bytes, &single))
		return;
	struct archive *archive = open_archive(bytes, single);
	if (archive == NULL) {
		a->archive_broken = true;
		return;
	}
	for (;;) {
		struct archive_entry *e;
		if (budget->entries == 0 || budget->bytes == 0) {
			a->cut = true;
			break;
		}
		int rc = archive_read_next_header(archive, &e);
		if (rc == ARCHIVE_EOF)
			break;
		if (rc < ARCHIVE_WARN) {
			a->archive_broken = true;
			break;
		}
		list_entry(arena, a, container, archive, e, budget, real_type);
	}
	a->encrypted = a->encrypted || archive_read_has_encrypted_entries(archive) == 1;
	archive_read_free(archive);
}

void archive_list(struct arena *arena, struct attachment *a, int container, struct slice bytes,
		  struct archive_budget *budget, struct slice (*real_type)(struct arena *arena, struct slice bytes))
{
	locale_t before = enter_locale();
	list_all(arena, a, container, bytes, budget, real_type);
	uselocale(before);
}
