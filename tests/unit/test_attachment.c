#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "message/attachment.h"
#include "message/canonical.h"
#include "message/transfer_encoding.h"

static const char program_zip[] =
	"UEsDBBQAAAAAAAAAIVgAAAAAAAAAAAAAAAAEAAAAZG9jL1BLAwQUAAAAAAAAACFYhqYQNgUAAAAFAAAADgAAAGRvYy9yZWFkbWUu"
	"dHh0aGVsbG9QSwMEFAAACAAAAAAhWOByjLaCAAAAggAAABAAAADYs9mE2KfZhS5wZGYuZXhlTVoAAAAAAAAAAAAAAAAAAAAAAAAA"
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQAAAAFBFAABMAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAFBLAQIUAxQAAAAAAAAAIVgAAAAAAAAAAAAAAAAEAAAAAAAAAAAAAACA"
	"AQAAAABkb2MvUEsBAhQDFAAAAAAAAAAhWIamEDYFAAAABQAAAA4AAAAAAAAAAAAAAIABIgAAAGRvYy9yZWFkbWUudHh0UEsBAhQD"
	"FAAACAAAAAAhWOByjLaCAAAAggAAABAAAAAAAAAAAAAAAIABUwAAANiz2YTYp9mFLnBkZi5leGVQSwUGAAAAAAMAAwCsAAAAAwEA"
	"AAAA";
static const char nested_zip[] =
	"UEsDBBQAAAAAAAAAIVgrDLC21wAAANcAAAAFAAAAYS56aXBQSwMEFAAAAAAAAAAhWEQ/AFprAAAAawAAAAUAAABiLnppcFBLAwQU"
	"AAAAAAAAACFYgxbcjAEAAAABAAAABAAAAGMuanN4UEsBAhQDFAAAAAAAAAAhWIMW3IwBAAAAAQAAAAQAAAAAAAAAAAAAAIABAAAA"
	"AGMuanNQSwUGAAAAAAEAAQAyAAAAIwAAAAAAUEsBAhQDFAAAAAAAAAAhWEQ/AFprAAAAawAAAAUAAAAAAAAAAAAAAIABAAAAAGIu"
	"emlwUEsFBgAAAAABAAEAMwAAAI4AAAAAAFBLAQIUAxQAAAAAAAAAIVgrDLC21wAAANcAAAAFAAAAAAAAAAAAAACAAQAAAABhLnpp"
	"cFBLBQYAAAAAAQABADMAAAD6AAAAAAA=";
static const char macro_docm[] =
	"UEsDBBQAAAAAAAAAIVjuR1hmHQAAAB0AAAATAAAAW0NvbnRlbnRfVHlwZXNdLnhtbDw/eG1sIHZlcnNpb249IjEuMCI/PjxUeXBl"
	"cy8+UEsDBBQAAAAAAAAAIVgWw3oZBAAAAAQAAAARAAAAd29yZC9kb2N1bWVudC54bWw8dy8+UEsDBBQAAAAAAAAAIViDFtyMAQAA"
	"AAEAAAATAAAAd29yZC92YmFQcm9qZWN0LmJpbnhQSwECFAMUAAAAAAAAACFY7kdYZh0AAAAdAAAAEwAAAAAAAAAAAAAAgAEAAAAA"
	"W0NvbnRlbnRfVHlwZXNdLnhtbFBLAQIUAxQAAAAAAAAAIVgWw3oZBAAAAAQAAAARAAAAAAAAAAAAAACAAU4AAAB3b3JkL2RvY3Vt"
	"ZW50LnhtbFBLAQIUAxQAAAAAAAAAIViDFtyMAQAAAAEAAAATAAAAAAAAAAAAAACAAYEAAAB3b3JkL3ZiYVByb2plY3QuYmluUEsF"
	"BgAAAAADAAMAwQAAALMAAAAAAA==";
static const char tar_gz[] =
	"H4sIAHYrA2sC/+3NsQ3CQBAEwCuFCuBtvaEeZybFb+npnoPIIgcJMZPsapPtp/ux9RafVNK51lem90zjrj/3yzhMcSjxBdva5lte"
	"xn9argEAAAAAAAAAAMAPegDn0qmyACgAAA==";
static const char bomb_gz[] =
	"H4sIAAAAAAACA+3BMQEAAADCoKzrX8IQvkABAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAHwGclbN1wAA"
	"EAA=";
static const char locked_zip[] =
	"UEsDBBQAAQAAAAAAIViGphA2BQAAAAUAAAAKAAAAc2VjcmV0LnR4dGhlbGxvUEsBAhQDFAABAAAAAAAhWIamEDYFAAAABQAAAAoA"
	"AAAAAAAAAAAAAIABAAAAAHNlY3JldC50eHRQSwUGAAAAAAEAAQA4AAAALQAAAAAA";
static const char program[] =
	"TVoAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQAAAAFBFAABMAQAAAAAA"
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==";

static struct attachments *list_of(struct arena *arena, const char *name, const char *type,
	const char *base64,
				   const struct attachment_limits *limits)
{
	struct buf b = { 0 };
	buf_printf(&b, "Content-Type: %s\nContent-Disposition: attachment; filename=\"%s\"\n"
		   "Content-Transfer-Encoding: base64\n\n", type, name);
	buf_add_str(&b, base64);
	buf_add_str(&b, "\n");
	struct message *m = arena_new(arena, struct message);
	message_parse(m, arena, message_canonical(arena, arena_copy(arena, buf_slice(&b))).bytes, 100);
	buf_free(&b);
	return attachments_list(mime_parse(m, NULL), limits);
}

static void test_archive(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	assert_true(attachment_preload());
	struct attachments *list = list_of(arena, "x.zip", "application/zip", program_zip, NULL);
	assert_int_equal(list->count, 1);
	const struct attachment *a = &list->list[0];
	assert_true(slice_eq(a->real_type, SLICE("application/zip")));
	assert_true(slice_eq(a->extension, SLICE("zip")));
	assert_int_equal(a->entry_count, 3);
	assert_true(a->entries[0].directory);
	assert_true(slice_eq(a->entries[1].name, SLICE("doc/readme.txt")));
	assert_true(slice_eq(a->entries[1].real_type, SLICE("text/plain")));
	assert_int_equal(a->entries[1].size, 5);
	assert_true(slice_eq(a->entries[2].name, SLICE("سلام.pdf.exe")));
	assert_true(slice_eq(a->entries[2].extension, SLICE("exe")));
	assert_true(a->archive && a->executable && !a->mismatch && !a->encrypted && !a->cut && !a->archive_broken);
	arena_destroy(&arena);
}

static void test_nested(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	const struct attachment *a = &list_of(arena, "x.zip", "application/zip", nested_zip, NULL)->list[0];
	assert_int_equal(a->entry_count, 3);
	assert_int_equal(a->entries[0].container, -1);
	assert_int_equal(a->entries[1].container, 0);
	assert_int_equal(a->entries[2].container, 1);
	assert_true(slice_eq(a->entries[2].name, SLICE("c.js")) && a->executable);
	a = &list_of(arena, "x.zip", "application/zip", nested_zip,
		&(struct attachment_limits){ .depth = 1 })->list[0];
	assert_int_equal(a->entry_count, 2);
	a = &list_of(arena, "x.zip", "application/zip", nested_zip,
		&(struct attachment_limits){ .entries = 1 })->list[0];
	assert_int_equal(a->entry_count, 1);
	assert_true(a->cut);
	arena_destroy(&arena);
}

static void test_kinds(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	const struct attachment *a = &list_of(arena, "a.docm", "application/x", macro_docm, NULL)->list[0];
	assert_true(a->macros && !a->mismatch);
	a = &list_of(arena, "a.tgz", "application/x", tar_gz, NULL)->list[0];
	assert_int_equal(a->entry_count, 1);
	assert_true(slice_eq(a->entries[0].name, SLICE("x/y.txt")));
	a = &list_of(arena, "a.zip", "application/zip", locked_zip, NULL)->list[0];
	assert_true(a->encrypted && a->entries[0].encrypted);
	a = &list_of(arena, "a.gz", "application/x", bomb_gz, &(struct attachment_limits){ .bytes = 65536 })->list[0];
	assert_int_equal(a->entry_count, 1);
	a = &list_of(arena, "photo.jpg", "image/jpeg", program, NULL)->list[0];
	assert_true(a->executable && a->mismatch && a->description.len > 0);
	a = &list_of(arena, "photo.jpg", "image/jpeg", program_zip, NULL)->list[0];
	assert_true(a->mismatch);
	a = &list_of(arena, "invoice.pdf.exe . ", "application/pdf", program, NULL)->list[0];
	assert_true(a->double_extension && a->executable && slice_eq(a->extension, SLICE("exe")));
	a = &list_of(arena, "a.txt", "text/plain", "aGVsbG8=", NULL)->list[0];
	assert_true(!a->executable && !a->mismatch && !a->archive && a->entry_count == 0);
	a = &list_of(arena, "x\xe2\x80\xaegpj.exe", "image/jpeg", "aGVsbG8=", NULL)->list[0];
	assert_true(a->double_extension);
	a = &list_of(arena, "x.pdf", "application/pdf", "PGh0bWw+PGJvZHk+PHNjcmlwdD5hPC9zY3JpcHQ+PC9ib2R5PjwvaHRtbD4=", NULL)->list[0];
	assert_true(a->mismatch);
	arena_destroy(&arena);
}

/* Cut anywhere, or with an octet changed, an archive is listed as far as it goes. */
static void test_broken(void **state)
{
	(void)state;
	static const char *const files[] = { program_zip, nested_zip, macro_docm, tar_gz, locked_zip };
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		struct arena *arena = arena_create();
		struct slice whole = slice_str(files[i]);
		char *copy = arena_str(arena, whole);
		for (size_t k = 0; k < whole.len; k += 17) {
			char kept = copy[k];
			copy[k] = copy[k] == 'A' ? 'z' : 'A';
			list_of(arena, "x.zip", "application/zip", copy, NULL);
			copy[k] = '\0';
			list_of(arena, "x.zip", "application/zip", copy, NULL);
			copy[k] = kept;
		}
		arena_destroy(&arena);
	}
}

static void test_extension(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "a.EXE", "exe" }, { "a.b.c", "c" }, { "a.exe. .", "exe" }, { "a", "" }, { "", "" }, { "a.", "" },
		{ "dir.x/file", "" }, { ".bashrc", "bashrc" },
	};
	struct arena *arena = arena_create();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (!slice_eq(attachment_extension(arena, slice_str(cases[i][0])), slice_str(cases[i][1])))
			fail_msg("%s", cases[i][0]);
	arena_destroy(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_archive),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_extension),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
