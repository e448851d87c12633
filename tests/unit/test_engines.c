/*
 * The second engines, GMime and libxml2, against the first: on sound mails
 * the trees and the texts must be the same; on odd ones the counts are
 * printed.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "message/canonical.h"
#include "message/decoded.h"
#include "message/text_space.h"
#include "tests/lib/shared.h"

static struct message *message_of(struct arena *arena, struct slice text)
{
	struct message *m = arena_new(arena, struct message);
	message_parse(m, arena, message_canonical(arena, text).bytes, 2000);
	return m;
}

/* Parents, types and contents. */
static bool same_tree(struct mime *a, struct mime *b)
{
	size_t proper = 0;
	for (size_t i = 0; i < a->count; i++)
		proper += !a->parts[i].alternative;
	if (proper != b->count)
		return false;
	for (size_t i = 0; i < b->count; i++) {
		struct part *x = &a->parts[i], *y = &b->parts[i];
		if (x->parent != y->parent || x->children != y->children)
			return false;
		if (x->children == 0 && !slice_eq(part_bytes(a, x), part_bytes(b, y)))
			return false;
	}
	return true;
}

/* White space is each engine's own. */
static struct slice skip_space(struct slice s)
{
	size_t n;
	while ((n = text_space_len(s)) > 0)
		s = slice_from(s, n);
	return s;
}

static bool same_words(struct slice a, struct slice b)
{
	for (;;) {
		a = skip_space(a);
		b = skip_space(b);
		if (a.len == 0 || b.len == 0)
			return a.len == b.len;
		if (a.data[0] != b.data[0])
			return false;
		a = slice_from(a, 1);
		b = slice_from(b, 1);
	}
}

static const char *const sound[] = {
	"Subject: x\n\nplain\n",
	"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset=utf-8\n"
	"Content-Transfer-Encoding: quoted-printable\n\na=3Db\n--b\nContent-Type: image/gif; name=\"a.gif\"\n"
	"Content-Disposition: attachment; filename*=utf-8''%D8%B3.gif\nContent-Transfer-Encoding: base64\n\nR0lGODdh\n--b--\n",
	"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nSubject: y\n\ninner\n--b\n"
	"Content-Type: multipart/alternative; boundary=c\n\n--c\n\n1\n--c\nContent-Type: text/html\n\n<p>2\n--c--\n--b--\n",
};

static void test_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(sound) / sizeof(*sound); i++) {
		struct arena *arena = arena_create();
		struct message *m = message_of(arena, slice_str(sound[i]));
		struct mime *own = mime_parse(m, NULL);
		struct mime *gmime = mime_parse(m, &(struct mime_limits){ .engine = MIME_ENGINE_GMIME });
		if (!same_tree(own, gmime))
			fail_msg("tree %zu differs", i);
		for (size_t k = 0; k < own->count; k++) {
			assert_true(slice_eq(own->parts[k].name, gmime->parts[k].name));
			assert_true(slice_eq(own->parts[k].type, gmime->parts[k].type));
			assert_true(slice_eq(own->parts[k].disposition, gmime->parts[k].disposition));
		}
		arena_destroy(&arena);
	}
}

static void test_html(void **state)
{
	(void)state;
	static const char *const pages[] = {
		"<html><body><p>a &amp; b<br>c <span style=\"display:none\">d</span></p><a href=\"http://x.example/\">e</a></body></html>",
		"<table><tr><td>1</td><td>2</td></tr></table><ul><li>x</li><li>y</li></ul><!-- c --><script>s</script>",
	};
	for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++) {
		struct arena *arena = arena_create();
		struct html *own = html_render(arena, slice_str(pages[i]), NULL);
		struct html *xml = html_render(arena, slice_str(pages[i]),
			&(struct html_limits){ .engine = HTML_ENGINE_LIBXML });
		if (!same_words(own->visible, xml->visible))
			fail_msg("\"%.*s\", \"%.*s\"", SLICE_ARG(own->visible), SLICE_ARG(xml->visible));
		assert_true(same_words(own->hidden, xml->hidden));
		assert_int_equal(own->link_count, xml->link_count);
		for (size_t k = 0; k < own->link_count; k++)
			assert_true(slice_eq(own->links[k].uri, xml->links[k].uri));
		assert_int_equal(own->comment_count, xml->comment_count);
		arena_destroy(&arena);
	}
}

struct tally {
	size_t mails, trees, pages, texts;
	clock_t own, xml;
};

static void compare_mail(struct slice file, struct tally *t)
{
	struct arena *arena = arena_create();
	struct message *m = message_of(arena, file);
	struct mime *own = mime_parse(m, NULL);
	struct mime *gmime = mime_parse(m, &(struct mime_limits){ .engine = MIME_ENGINE_GMIME });
	t->mails++;
	t->trees += same_tree(own, gmime);
	for (size_t i = 0; i < own->count; i++) {
		if (!own->parts[i].is_html)
			continue;
		struct slice source = part_text(own, &own->parts[i]);
		clock_t start = clock();
		struct html *a = html_render(arena, source, NULL);
		clock_t between = clock();
		struct html *b = html_render(arena, source, &(struct html_limits){ .engine = HTML_ENGINE_LIBXML });
		t->own += between - start;
		t->xml += clock() - between;
		t->pages++;
		t->texts += same_words(a->visible, b->visible);
	}
	arena_destroy(&arena);
}

static void compare_folder(const char *folder, struct slice end, struct tally *t)
{
	const char *top = getenv("GATEHOUSE_SHARED");
	struct arena *arena = arena_create();
	struct slice path = arena_printf(arena, "%s/data/%s", top ? top : "../shared", folder);
	DIR *dir = opendir(path.data);
	for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
		struct slice name = arena_printf(arena, "%s/%s", folder, e->d_name);
		bool mail = slice_ends(name, SLICE(".msg")) || slice_ends(name, SLICE(".eml")) || slice_ends(name, end);
		if (e->d_type == DT_REG && mail)
			compare_mail(shared_file(arena, name.data), t);
	}
	if (dir != NULL)
		closedir(dir);
	arena_destroy(&arena);
}

static void test_odd(void **state)
{
	(void)state;
	struct tally t = { .mails = 0 };
	compare_folder("mime/james-mime4j/mimetools-testmsgs", SLICE(".msg"), &t);
	compare_folder("mime/james-mime4j/testmsgs", SLICE(".msg"), &t);
	compare_folder("mime/zbateson-mail-mime-parser", SLICE(".txt"), &t);
	compare_folder("mime/MimeKit/messages", SLICE(".txt"), &t);
	compare_folder("corpora/multilingual", SLICE(".eml"), &t);
	if (t.mails == 0) {
		printf("# skipped: no mails\n");
		skip();
	}
	printf("# count: odd mails with the same tree by GMime: %zu of %zu\n", t.trees, t.mails);
	printf("# count: HTML with the same visible text by libxml2: %zu of %zu\n", t.texts, t.pages);
	printf("# libxml2 takes %.1f times the time of our tokens\n", t.own ? (double)t.xml / (double)t.own : 0);
	assert_true(t.trees * 10 > t.mails * 8);
	assert_true(t.texts * 10 > t.pages * 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound),
		cmocka_unit_test(test_html),
		cmocka_unit_test(test_odd),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
