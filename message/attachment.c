/*
 * The only module that includes magic.h. libmagic's tables are read into
 * memory once; each thread's handle is made of that memory, so that no file
 * is opened later. A handle knows no other thread.
 */
#include "message/attachment.h"

#include <fcntl.h>
#include <magic.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "message/archive_list.h"

#define DEFAULT_FILES 200u
#define DEFAULT_ENTRIES 1000u
#define DEFAULT_DEPTH 3u
#define DEFAULT_BYTES (32u << 20)
#define TYPE_LOOK 65536u     /* octets of a file that decide its type */
#define MARK_LOOK (4u << 20) /* octets searched for marks of encryption and macros */

static struct {
	void *tables;
	size_t size;
	pthread_key_t key;
} magic;

static void close_handle(void *arg)
{
	magic_close(arg);
}

/* "/etc/magic:/usr/share/misc/magic" names files without their ".mgc". */
static bool map_tables(struct slice path)
{
	char name[4096];
	struct stat st;
	if (path.len == 0 || path.len + 5 > sizeof(name))
		return false;
	memcpy(name, path.data, path.len);
	memcpy(name + path.len, slice_ends(path, SLICE(".mgc")) ? "" : ".mgc", slice_ends(path, SLICE(".mgc")) ?
		1 : 5);
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && st.st_size > 0) {
		/* Private and writable: libmagic may turn octets round in place. */
		void *p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
		if (p != MAP_FAILED) {
			magic.tables = p;
			magic.size = (size_t)st.st_size;
		}
	}
	close(fd);
	return magic.tables != NULL;
}

static void load_tables(void)
{
	struct slice rest = slice_str(magic_getpath(NULL, 0)), path;
	pthread_key_create(&magic.key, close_handle);
	archive_list_preload();
	while (rest.data != NULL && magic.tables == NULL && slice_split(&rest, ':', &path))
		map_tables(path);
}

bool attachment_preload(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, load_tables);
	return magic.tables != NULL;
}

static magic_t thread_handle(void)
{
	if (!attachment_preload())
		return NULL;
	magic_t m = pthread_getspecific(magic.key);
	if (m != NULL)
		return m;
	m = magic_open(MAGIC_MIME_TYPE | MAGIC_NO_CHECK_COMPRESS | MAGIC_NO_CHECK_TOKENS);
	if (m == NULL)
		return NULL;
	if (magic_load_buffers(m, &magic.tables, &magic.size, 1) != 0) {
		magic_close(m);
		return NULL;
	}
	size_t limit = TYPE_LOOK;
	magic_setparam(m, MAGIC_PARAM_BYTES_MAX, &limit);
	pthread_setspecific(magic.key, m);
	return m;
}

static struct slice ask_magic(struct arena *arena, struct slice bytes, int flags)
{
	magic_t m = thread_handle();
	if (m == NULL || bytes.len == 0)
		return SLICE_EMPTY;
	magic_setflags(m, flags | MAGIC_NO_CHECK_COMPRESS | MAGIC_NO_CHECK_TOKENS);
	const char *said = magic_buffer(m, bytes.data, bytes.len < TYPE_LOOK ? bytes.len : TYPE_LOOK);
	struct slice s = slice_str(said);
	bool nothing = slice_eq(s, SLICE("application/octet-stream")) || slice_eq(s, SLICE("data"));
	return nothing ? SLICE_EMPTY : arena_copy(arena, s);
}

static struct slice real_type(struct arena *arena, struct slice bytes)
{
	return ask_magic(arena, bytes, MAGIC_MIME_TYPE);
}

/* Names. */

static struct slice trim_name(struct slice name)
{
	while (name.len > 0 && (name.data[name.len - 1] == '.' || ascii_is_space(name.data[name.len - 1])))
		name.len--;
	return name;
}

struct slice attachment_extension(struct arena *arena, struct slice name)
{
	name = trim_name(name);
	size_t dot = slice_rchr(name, '.'), slash = slice_rchr(name, '/');
	if (dot == SLICE_NPOS || (slash != SLICE_NPOS && slash > dot) || name.len - dot > 16)
		return SLICE_EMPTY;
	return arena_lower(arena, slice_trim(slice_from(name, dot + 1)));
}

enum family {
	FAMILY_UNKNOWN, FAMILY_IMAGE, FAMILY_AUDIO, FAMILY_VIDEO, FAMILY_TEXT, FAMILY_HTML, FAMILY_PDF,
		FAMILY_OFFICE,
	FAMILY_ARCHIVE, FAMILY_SCRIPT, FAMILY_PROGRAM,
};

struct family_name {
	const char *name;
	enum family family;
};

static const struct family_name extensions[] = {
	{ "jpg", FAMILY_IMAGE }, { "jpeg", FAMILY_IMAGE }, { "png", FAMILY_IMAGE }, { "gif", FAMILY_IMAGE },
	{ "bmp", FAMILY_IMAGE }, { "tif", FAMILY_IMAGE }, { "tiff", FAMILY_IMAGE }, { "webp", FAMILY_IMAGE },
	{ "mp3", FAMILY_AUDIO }, { "wav", FAMILY_AUDIO }, { "ogg", FAMILY_AUDIO }, { "m4a", FAMILY_AUDIO },
	{ "mp4", FAMILY_VIDEO }, { "avi", FAMILY_VIDEO }, { "mov", FAMILY_VIDEO }, { "mkv", FAMILY_VIDEO },
	{ "txt", FAMILY_TEXT }, { "log", FAMILY_TEXT }, { "csv", FAMILY_TEXT }, { "md", FAMILY_TEXT },
	{ "htm", FAMILY_HTML }, { "html", FAMILY_HTML }, { "shtml", FAMILY_HTML }, { "xhtml", FAMILY_HTML },
	{ "pdf", FAMILY_PDF }, { "doc", FAMILY_OFFICE }, { "docx", FAMILY_OFFICE }, { "docm", FAMILY_OFFICE },
	{ "dot", FAMILY_OFFICE }, { "dotm", FAMILY_OFFICE }, { "xls", FAMILY_OFFICE }, { "xlsx", FAMILY_OFFICE },
	{ "xlsm", FAMILY_OFFICE }, { "xlsb", FAMILY_OFFICE }, { "ppt", FAMILY_OFFICE }, { "pptx", FAMILY_OFFICE },
	{ "pptm", FAMILY_OFFICE }, { "rtf", FAMILY_OFFICE }, { "odt", FAMILY_OFFICE }, { "ods", FAMILY_OFFICE },
	{ "odp", FAMILY_OFFICE }, { "zip", FAMILY_ARCHIVE }, { "rar", FAMILY_ARCHIVE }, { "7z", FAMILY_ARCHIVE },
	{ "tar", FAMILY_ARCHIVE }, { "gz", FAMILY_ARCHIVE }, { "tgz", FAMILY_ARCHIVE }, { "bz2", FAMILY_ARCHIVE },
	{ "xz", FAMILY_ARCHIVE }, { "cab", FAMILY_ARCHIVE }, { "arj", FAMILY_ARCHIVE }, { "ace", FAMILY_ARCHIVE },
	{ "iso", FAMILY_ARCHIVE }, { "img", FAMILY_ARCHIVE }, { "lzh", FAMILY_ARCHIVE }, { "zst", FAMILY_ARCHIVE },
	{ "exe", FAMILY_PROGRAM }, { "scr", FAMILY_PROGRAM }, { "com", FAMILY_PROGRAM }, { "pif", FAMILY_PROGRAM },
	{ "dll", FAMILY_PROGRAM }, { "cpl", FAMILY_PROGRAM }, { "msi", FAMILY_PROGRAM }, { "msp", FAMILY_PROGRAM },
	{ "ocx", FAMILY_PROGRAM }, { "sys", FAMILY_PROGRAM }, { "jar", FAMILY_PROGRAM }, { "xll", FAMILY_PROGRAM },
	{ "appx", FAMILY_PROGRAM }, { "msix", FAMILY_PROGRAM }, { "apk", FAMILY_PROGRAM }, { "lnk", FAMILY_PROGRAM },
	{ "chm", FAMILY_PROGRAM }, { "hlp", FAMILY_PROGRAM }, { "application", FAMILY_PROGRAM }, { "bat",
	  FAMILY_SCRIPT },
	{ "cmd", FAMILY_SCRIPT }, { "vbs", FAMILY_SCRIPT }, { "vbe", FAMILY_SCRIPT }, { "js", FAMILY_SCRIPT },
	{ "jse", FAMILY_SCRIPT }, { "wsf", FAMILY_SCRIPT }, { "wsh", FAMILY_SCRIPT }, { "hta", FAMILY_SCRIPT },
	{ "ps1", FAMILY_SCRIPT }, { "reg", FAMILY_SCRIPT }, { "scf", FAMILY_SCRIPT }, { "sct", FAMILY_SCRIPT },
	{ "inf", FAMILY_SCRIPT }, { "url", FAMILY_SCRIPT }, { "msc", FAMILY_SCRIPT }, { "sh", FAMILY_SCRIPT },
};

/* Whole types, or their begin. */
static const struct family_name types[] = {
	{ "image/", FAMILY_IMAGE }, { "audio/", FAMILY_AUDIO }, { "video/", FAMILY_VIDEO }, { "text/html",
	  FAMILY_HTML },
	{ "text/x-msdos-batch", FAMILY_SCRIPT }, { "text/x-shellscript", FAMILY_SCRIPT }, { "text/vbscript",
	  FAMILY_SCRIPT },
	{ "application/javascript", FAMILY_SCRIPT }, { "text/javascript", FAMILY_SCRIPT }, { "text/", FAMILY_TEXT },
	{ "application/pdf", FAMILY_PDF }, { "application/msword", FAMILY_OFFICE }, { "application/vnd.ms-",
	  FAMILY_OFFICE },
	{ "application/vnd.openxmlformats", FAMILY_OFFICE }, { "application/vnd.oasis", FAMILY_OFFICE },
	{ "application/rtf", FAMILY_OFFICE }, { "application/CDFV2", FAMILY_OFFICE }, { "application/x-ole",
	  FAMILY_OFFICE },
	{ "application/x-dosexec", FAMILY_PROGRAM }, { "application/x-msdownload", FAMILY_PROGRAM },
	{ "application/vnd.microsoft.portable-executable", FAMILY_PROGRAM }, { "application/x-executable",
	  FAMILY_PROGRAM },
	{ "application/x-pie-executable", FAMILY_PROGRAM }, { "application/x-sharedlib", FAMILY_PROGRAM },
	{ "application/x-mach-binary", FAMILY_PROGRAM }, { "application/x-ms-shortcut", FAMILY_PROGRAM },
	{ "application/java-archive", FAMILY_PROGRAM }, { "application/vnd.android.package-archive",
	  FAMILY_PROGRAM },
	{ "application/x-msi", FAMILY_PROGRAM }, { "application/zip", FAMILY_ARCHIVE }, { "application/x-rar",
	  FAMILY_ARCHIVE },
	{ "application/x-7z-compressed", FAMILY_ARCHIVE }, { "application/x-tar", FAMILY_ARCHIVE },
	{ "application/gzip", FAMILY_ARCHIVE }, { "application/x-bzip2", FAMILY_ARCHIVE }, { "application/x-xz",
	  FAMILY_ARCHIVE },
	{ "application/vnd.ms-cab-compressed", FAMILY_ARCHIVE }, { "application/x-iso9660-image", FAMILY_ARCHIVE },
	{ "application/x-lzh-compressed", FAMILY_ARCHIVE }, { "application/zstd", FAMILY_ARCHIVE },
};

static enum family family_of_extension(struct slice extension)
{
	for (size_t i = 0; i < sizeof(extensions) / sizeof(*extensions); i++)
		if (slice_eq(extension, slice_str(extensions[i].name)))
			return extensions[i].family;
	return FAMILY_UNKNOWN;
}

/* The longest entry that the type begins with. */
static enum family family_of_type(struct slice type)
{
	enum family found = FAMILY_UNKNOWN;
	size_t longest = 0;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		struct slice name = slice_str(types[i].name);
		if (name.len > longest && slice_starts_nocase(type, name)) {
			found = types[i].family;
			longest = name.len;
		}
	}
	return found;
}

static bool runs(enum family family)
{
	return family == FAMILY_PROGRAM || family == FAMILY_SCRIPT;
}

/* Does a file claimed to be one thing turn out to be something worse? */
static bool is_worse(enum family claimed, enum family real)
{
	switch (real) {
	case FAMILY_HTML:
		return claimed != FAMILY_UNKNOWN && claimed != FAMILY_TEXT && claimed != FAMILY_HTML && !runs(claimed);
	case FAMILY_ARCHIVE: /* office documents and programs can be archives inside */
		return claimed != FAMILY_UNKNOWN && claimed <= FAMILY_PDF;
	case FAMILY_SCRIPT:
		return claimed != FAMILY_UNKNOWN && claimed != FAMILY_TEXT && claimed != FAMILY_HTML && !runs(claimed);
	case FAMILY_PROGRAM:
		return claimed != FAMILY_UNKNOWN && !runs(claimed);
	default:
		return false;
	}
}

#define RIGHT_TO_LEFT "\xe2\x80\xae" /* U+202E turns round what follows it */

/* "invoice.pdf.exe", "invoice.pdf      .exe", or letters shown in another order. */
static bool is_disguised(struct arena *arena, struct slice name)
{
	struct slice extension = attachment_extension(arena, name);
	if (slice_find(name, SLICE(RIGHT_TO_LEFT)) != SLICE_NPOS)
		return true;
	name = trim_name(name);
	size_t dot = slice_rchr(name, '.');
	if (!runs(family_of_extension(extension)) || dot == SLICE_NPOS)
		return false;
	enum family before = family_of_extension(attachment_extension(arena, slice_head(name, dot)));
	return before != FAMILY_UNKNOWN && before < FAMILY_ARCHIVE;
}

/* Marks. */

static bool has_mark(struct slice bytes, const char *mark, size_t len)
{
	return slice_find(slice_head(bytes, MARK_LOOK), slice_make(mark, len)) != SLICE_NPOS;
}
#define HAS_MARK(bytes, literal) has_mark((bytes), "" literal, sizeof(literal) - 1)

static void look_for_marks(struct attachment *a, struct slice bytes)
{
	if (slice_starts(bytes, SLICE("\xd0\xcf\x11\xe0"))) { /* OLE2: names of streams are UTF-16 */
		a->macros = HAS_MARK(bytes, "_\0V\0B\0A\0_\0P\0R\0O\0J\0E\0C\0T");
		a->encrypted = a->encrypted || HAS_MARK(bytes, "E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e");
	} else if (slice_starts(bytes, SLICE("%PDF"))) {
		a->encrypted = HAS_MARK(bytes, "/Encrypt");
	}
	for (size_t i = 0; i < a->entry_count; i++)
		a->macros = a->macros || slice_ends_nocase(a->entries[i].name, SLICE("vbaProject.bin"));
}

/* Files. */

static bool is_file(const struct part *part)
{
	if (part->children > 0 || part->is_multipart || part->is_message)
		return false;
	return part->is_attachment || part->alternative || !part->is_text;
}

static bool entry_runs(const struct archived_file *file)
{
	return !file->directory && (runs(family_of_extension(file->extension)) ||
		runs(family_of_type(file->real_type)));
}

static void judge(struct arena *arena, struct attachment *a, const struct part *part, struct slice bytes)
{
	enum family real = family_of_type(a->real_type);
	enum family by_name = family_of_extension(a->extension), declared = family_of_type(a->declared_type);
	a->executable = runs(real) || runs(by_name);
	for (size_t i = 0; i < part->name_count; i++) {
		a->executable = a->executable || runs(family_of_extension(attachment_extension(arena, part->names[i])));
		a->double_extension = a->double_extension || is_disguised(arena, part->names[i]);
	}
	a->archive = real == FAMILY_ARCHIVE;
	for (size_t i = 0; a->archive && i < a->entry_count; i++)
		a->executable = a->executable || entry_runs(&a->entries[i]);
	a->mismatch = is_worse(by_name, real) || is_worse(declared, real);
	if (a->executable || a->mismatch)
		a->description = ask_magic(arena, bytes, MAGIC_NONE);
}

static void read_file(struct mime *mime, size_t index, struct attachment *a, struct archive_budget *budget)
{
	struct part *part = &mime->parts[index];
	struct slice bytes = part_bytes(mime, part);
	*a = (struct attachment){ .part = index, .name = part->name, .declared_type = part->declared_type,
		.size = bytes.len };
	a->extension = attachment_extension(mime->arena, part->name);
	a->real_type = real_type(mime->arena, bytes);
	archive_list(mime->arena, a, -1, bytes, budget, real_type);
	look_for_marks(a, bytes);
	judge(mime->arena, a, part, bytes);
}

struct attachments *attachments_list(struct mime *mime, const struct attachment_limits *limits)
{
	struct attachments *list = arena_new(mime->arena, struct attachments);
	size_t max = limits && limits->files ? limits->files : DEFAULT_FILES;
	struct archive_budget budget = {
		.entries = limits && limits->entries ? limits->entries : DEFAULT_ENTRIES,
		.bytes = limits && limits->bytes ? limits->bytes : DEFAULT_BYTES,
		.depth = limits && limits->depth ? limits->depth : DEFAULT_DEPTH,
	};
	size_t count = 0;
	for (size_t i = 0; i < mime->count; i++)
		count += is_file(&mime->parts[i]);
	list->list = arena_array(mime->arena, struct attachment, count < max ? count : max);
	for (size_t i = 0; i < mime->count && list->count < max; i++)
		if (is_file(&mime->parts[i]))
			read_file(mime, i, &list->list[list->count++], &budget);
	return list;
}
