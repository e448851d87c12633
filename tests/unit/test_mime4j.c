/*
 * The mails of Apache James Mime4j, each with the tree and the decoded bodies
 * that its parser makes. Ours is to have the same leaves with the same bytes
 * (line ends apart), and as many sound fields in each head.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "message/canonical.h"
#include "message/mime.h"
#include "tests/lib/shared.h"

#define MAX_NODES 256u

struct expected {
	struct slice leaves[MAX_NODES]; /* contents */
	size_t leaf_count;
	size_t fields[MAX_NODES];       /* of each head, in order */
	size_t head_count;
};

static struct slice between(struct slice s, const char *open, char close)
{
	size_t at = slice_find(s, slice_str(open));
	s = slice_from(s, at == SLICE_NPOS ? s.len : at + strlen(open));
	return slice_head(s, slice_chr(s, close));
}

/* The tags of NAME_decoded.xml, one after the other. */
static void read_expected(struct arena *arena, const char *folder, struct slice xml, struct expected *e)
{
	size_t at;
	while ((at = slice_chr(xml, '<')) != SLICE_NPOS) {
		xml = slice_from(xml, at + 1);
		struct slice tag = slice_head(xml, slice_chr(xml, '>'));
		if (slice_eq(tag, SLICE("header")) && e->head_count < MAX_NODES) {
			e->fields[e->head_count++] = 0;
		} else if (slice_eq(tag, SLICE("field")) && e->head_count > 0) {
			e->fields[e->head_count - 1]++;
		} else if ((slice_starts(tag, SLICE("text-body")) || slice_starts(tag, SLICE("binary-body"))) &&
			   e->leaf_count < MAX_NODES) {
			struct slice name = between(tag, "name=\"", '"');
			struct slice path = arena_printf(arena, "%s/%.*s", folder, SLICE_ARG(name));
			e->leaves[e->leaf_count++] = shared_file(arena, path.data);
		}
	}
}

static size_t sound_fields(const struct part *part)
{
	size_t n = 0;
	for (size_t i = 0; i < part->header_count; i++)
		n += !part->headers[i].broken;
	return n;
}

/* Line ends don't matter, nor one at the end of a file that had none. */
static bool same_text(struct slice a, struct slice b)
{
	size_t i = 0, k = 0;
	if (slice_ends(a, SLICE("\r\n")) && !slice_ends(b, SLICE("\n")))
		a.len -= 2;
	while (i < a.len || k < b.len) {
		if (i < a.len && a.data[i] == '\r')
			i++;
		else if (k < b.len && b.data[k] == '\r')
			k++;
		else if (i == a.len || k == b.len || a.data[i++] != b.data[k++])
			return false;
	}
	return true;
}

/* NULL: as expected; else what differs. */
static const char *compare(struct mime *mime, const struct expected *e)
{
	size_t leaf = 0, head = 0;
	for (size_t i = 0; i < mime->count; i++) {
		struct part *part = &mime->parts[i];
		if (part->alternative)
			continue;
		if (head == e->head_count || sound_fields(part) != e->fields[head++])
			return "head";
		if (part->children > 0 || part->is_multipart)
			continue;
		if (leaf == e->leaf_count)
			return "more leaves";
		if (!same_text(part_bytes(mime, part), e->leaves[leaf++]))
			return "content";
	}
	return leaf < e->leaf_count ? "fewer leaves" : NULL;
}

/* Where we do otherwise, and why. A mail that differs and isn't named here is a defect. */
static const struct {
	const char *mail, *why;
} on_purpose[] = {
	{ "badbound", "no line is the boundary, which was folded: its text is one part, not none" },
	{ "ending-boundaries", "text behind a closing boundary: readers differ, what follows is looked at too" },
	{ "frag", "base64 that breaks off: what its last characters hold is kept" },
	{ "malformedHeader-noheader", "no header at all: all of it is text, not none" },
	{ "malformedHeaderStartsBody-nocrlfcrlf", "fields behind a line that is none count, as readers show them" },
	{ "malformedHeaderStartsBody-noheader", "no header at all: all of it is text, not its beginning" },
	{ "missing-boundary", "a multipart without parts: readers show its text, so it is a part" },
	{ "missing-inner-boundary", "a multipart without parts: readers show its text, so it is a part" },
	{ "missing-inner-start-boundary", "a multipart without parts: readers show its text, so it is a part" },
	{ "multi-bad", "two Content-Type fields: the last counts, parts of the first are its other reading" },
	{ "multi-frag", "base64 that breaks off: what its last characters hold is kept" },
	{ "multipartnopart", "a multipart without parts: readers show its text, so it is a part" },
	{ "very-long-boundary", "spaces at the end of a boundary line are padding (RFC 2046 5.1.1)" },
	{ "very-very-long-boundary", "spaces at the end of a boundary line are padding (RFC 2046 5.1.1)" },
	{ "weird-boundary", "spaces at the end of a boundary line are padding (RFC 2046 5.1.1)" },
};

static const char *purpose(struct slice name)
{
	for (size_t i = 0; i < sizeof(on_purpose) / sizeof(*on_purpose); i++)
		if (slice_eq(name, slice_str(on_purpose[i].mail)))
			return on_purpose[i].why;
	return NULL;
}

static size_t unexplained;

static void run_mail(const char *folder, struct slice name, size_t *right, size_t *all)
{
	struct arena *arena = arena_create();
	struct slice path = arena_printf(arena, "%s/%.*s.msg", folder, SLICE_ARG(name));
	struct slice raw = message_canonical(arena, shared_file(arena, path.data)).bytes;
	path = arena_printf(arena, "%s/%.*s_decoded.xml", folder, SLICE_ARG(name));
	struct expected *e = arena_new(arena, struct expected);
	read_expected(arena, folder, shared_file(arena, path.data), e);
	struct message m = { 0 };
	message_parse(&m, arena, raw, 1000);
	const char *differs = compare(mime_parse(&m, NULL), e);
	++*all;
	*right += differs == NULL;
	const char *why = purpose(name);
	unexplained += differs != NULL && why == NULL;
	if (differs != NULL)
		printf("# differs: %.*s: %s: %s\n", SLICE_ARG(name), differs, why != NULL ? why : "A DEFECT");
	else if (why != NULL)
		printf("# no longer differs: %.*s\n", SLICE_ARG(name));
	arena_destroy(&arena);
}

static bool run_folder(const char *folder, size_t *right, size_t *all)
{
	const char *top = getenv("GATEHOUSE_SHARED");
	char path[4096];
	snprintf(path, sizeof(path), "%s/data/%s", top ? top : "../shared", folder);
	DIR *dir = opendir(path);
	if (dir == NULL)
		return false;
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		struct slice name = slice_str(e->d_name);
		if (slice_ends(name, SLICE(".msg")))
			run_mail(folder, slice_head(name, name.len - 4), right, all);
	}
	closedir(dir);
	return true;
}

static void test_mails(void **state)
{
	(void)state;
	size_t right = 0, all = 0;
	if (!run_folder("mime/james-mime4j/mimetools-testmsgs", &right, &all)) {
		printf("# skipped: no james-mime4j\n");
		skip();
	}
	run_folder("mime/james-mime4j/testmsgs", &right, &all);
	printf("# count: mails decoded as Mime4j does: %zu of %zu\n", right, all);
	assert_int_equal(unexplained, 0);
	assert_true(right * 100 >= all * 75);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_mails) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
