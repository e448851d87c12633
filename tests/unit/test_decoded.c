#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "message/attachment.h"
#include "message/canonical.h"
#include "message/charset.h"
#include "message/decoded.h"
#include "tests/lib/shared.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static struct message *message_of(struct arena *arena, struct slice text)
{
	struct message *m = arena_new(arena, struct message);
	message_parse(m, arena, message_canonical(arena, text).bytes, 200000);
	return m;
}

struct body_case {
	const char *name, *mail;
	const char *body, *visible, *hidden; /* pieces, joined */
	size_t pieces;
};

#define ALTERNATIVE "Subject: s\nContent-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\nplain  text\n" \
	"--b\nContent-Type: text/html\n\n<p>rich <b>text</b><span style='display:none'>trap</span></p>\n--b--\n"

static const struct body_case bodies[] = {
	{ "plain", "Subject: Hello\n\none  two\nthree\n\n\nfour\n", "Hello\none two three\nfour ",
	  "one two three\nfour ", "", 3 },
	{ "no subject", "From: a\n\nx\n", "\nx ", "x ", "", 2 },
	{ "two subjects", "Subject: a\nSubject: b\n\nx\n", "b\nx ", "x ", "", 2 },
	{ "encoded subject", "Subject: =?utf-8?B?2LPZhNin2YU=?=\n\nx", "سلام\nx ", "x ", "", 2 },
	{ "spaces round an empty line", "Subject: s\n\na \n \n b\n", "s\na \n b ", "a \n b ", "", 3 },
	{ "no-break space", "Subject: s\nContent-Type: text/plain; charset=utf-8\n\na\xc2\xa0\xe2\x80\x83" "b",
	  "s\na b ", "a b ",
	  "", 2 },
	{ "alternative", ALTERNATIVE, "s\nplain text\nrich texttrap\n", "plain text\nrich text\n", "trap", 3 },
	{ "attachment between", "Subject: s\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\na\n--b\nContent-Type: image/gif\n\n"
	  "GIF\n--b\n\nc\n--b--\n", "s\na\nc", "a\nc", "", 3 },
	{ "Persian, windows-1256", "Subject: s\nContent-Type: text/plain; charset=windows-1256\n"
	  "Content-Transfer-Encoding: base64\n\n0+HH4w==\n", "s\nسلام", "سلام", "", 2 },
	{ "Kazakh, KZ-1048", "Subject: s\nContent-Type: text/plain; charset=kz-1048\n\n\xd1\xbc\xeb\xe5\xec\n",
	  "s\nСәлем ", "Сәлем ",
	  "", 2 },
	{ "Russian, koi8-r, HTML", "Subject: s\nContent-Type: text/html; charset=koi8-r\n\n<b>\xf0\xd2\xc9\xd7\xc5\xd4</b>\n",
	  "s\nПривет ", "Привет ", "", 2 },
	{ "Gujarati", "Subject: s\nContent-Type: text/html; charset=utf-8\n\n&#2728;&#2734;\xe0\xaa\xb8\xe0\xab\x8d\xe0\xaa\xa4\xe0\xab\x87",
	  "s\nનમસ્તે ", "નમસ્તે ", "", 2 },
};

static struct slice pieces_joined(struct arena *arena, const struct text *t)
{
	struct buf b = { 0 };
	for (size_t i = 0; i < t->count; i++)
		buf_add_slice(&b, t->pieces[i]);
	assert_true(slice_eq(buf_slice(&b), t->all));
	struct slice s = arena_copy(arena, buf_slice(&b));
	buf_free(&b);
	return s;
}

static void test_bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bodies); i++) {
		const struct body_case *t = &bodies[i];
		struct arena *arena = arena_create();
		struct message *m = message_of(arena, slice_str(t->mail));
		struct decoded *d = message_decode(m, NULL);
		struct slice body = pieces_joined(arena, &d->body), visible = pieces_joined(arena, &d->visible);
		struct slice hidden = pieces_joined(arena, &d->hidden);
		if (!slice_eq(body, slice_str(t->body)) || !slice_eq(visible, slice_str(t->visible)) ||
		    !slice_eq(hidden, slice_str(t->hidden)) || d->body.count != t->pieces)
			fail_msg("%s: body \"%.*s\" in %zu, visible \"%.*s\", hidden \"%.*s\"", t->name, SLICE_ARG(body),
				 d->body.count, SLICE_ARG(visible), SLICE_ARG(hidden));
		arena_destroy(&arena);
	}
}

static void test_pieces(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct buf b = { 0 };
	buf_add_str(&b, "Subject: s\n\n");
	for (int i = 0; i < 2000; i++)
		buf_add_str(&b, "word ");
	for (int i = 0; i < 5000; i++)
		buf_add_char(&b, 'x');
	struct decoded *d = message_decode(message_of(arena, buf_slice(&b)), NULL);
	for (size_t i = 0; i < d->body.count; i++)
		assert_true(d->body.pieces[i].len <= 2048);
	assert_true(slice_ends(d->body.pieces[1], SLICE(" ")));
	pieces_joined(arena, &d->body);
	struct slice raw = pieces_joined(arena, &d->rawbody);
	assert_int_equal(raw.len, 15001);
	for (size_t i = 0; i < d->rawbody.count; i++)
		assert_true(d->rawbody.pieces[i].len <= 4096);
	buf_free(&b);
	arena_destroy(&arena);
}

static void test_rest(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct message *m = message_of(arena, SLICE("Subject: =?utf-8?Q?=D8=B3?=\nDKIM-Signature: v=1; d=Example.ORG; s=x\n"
		"Content-Type: text/html\n\nsee http://a.example.com/ <a href=HTTP://b.example.com/x>here</a>\n"));
	const struct header *subject = message_header(m, SLICE("subject"), 0);
	assert_true(slice_eq(message_header_text(m, subject), SLICE("س")));
	struct decoded *d = message_decode(m, NULL);
	assert_ptr_equal(d, message_decode(m, NULL));
	assert_true(slice_eq(message_header_text(m, subject), SLICE("س")));
	assert_int_equal(d->html_count, 1);
	unsigned types = 0;
	for (size_t i = 0; i < d->uris.count; i++)
		types |= d->uris.list[i].types;
	assert_int_equal(types, URI_PARSED | URI_A | URI_DKIM);
	struct message *traps = message_of(arena, SLICE("Content-Type: text/html\n\n<p>http://seen.example.com/</p>"
		"<p style='display:none'>http://hidden.example.com/ http://seen.example.com/</p>\n"));
	const struct uris *uris = &message_decode(traps, NULL)->uris;
	assert_int_equal(uris->count, 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(!!(uris->list[i].types & URI_HIDDEN), slice_find(uris->list[i].raw, SLICE("hidden")) != SLICE_NPOS);
	assert_true(slice_starts(decoded_full(m), SLICE("Subject: =?utf-8?Q?=D8=B3?=\nDKIM")));
	assert_int_equal(slice_chr(decoded_full(m), '\r'), SLICE_NPOS);
	assert_true(slice_starts(d->rawbody.all, SLICE("see http")));
	assert_false(d->cut);
	struct buf b = { 0 };
	buf_add_str(&b, "Subject: x\n\naaaa bbbb ");
	for (int i = 0; i < 3000; i++)
		buf_add_char(&b, 'x');
	d = message_decode(message_of(arena, buf_slice(&b)), &(struct decode_limits){ .body_part = 6,
		.rawbody_part = 6 });
	assert_true(d->cut);
	assert_true(slice_eq(d->rawbody.all, SLICE("aaaa bbbb ")));
	assert_true(slice_eq(d->body.all, SLICE("x\naaaa bbbb ")));
	buf_free(&b);
	arena_destroy(&arena);
}

/* After the preload nothing needs a file: no descriptor may be opened here. */
static void test_sandbox(void **state)
{
	(void)state;
	message_decode_preload();
	struct rlimit kept, none;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &kept), 0);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = kept.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	static const char *const labels[] = {
		"gb2312", "big5", "iso-2022-jp", "euc-kr", "shift_jis", "utf-7", "hz-gb-2312", "iso-2022-kr", "johab",
			"koi8-r",
		"windows-1255", "windows-1258", "tcvn", "euc-tw", "utf-16", "iso-2022-cn",
	};
	struct arena *arena = arena_create();
	bool all_known = true, all_used = true;
	for (size_t i = 0; i < COUNT(labels); i++) {
		struct charset_info info;
		charset_to_utf8(arena, SLICE("\xb0\xa1\xb0\xa1"), slice_str(labels[i]), &info);
		all_known = all_known && !info.unknown_label;
		all_used = all_used && info.used != NULL;
	}
	struct message *m = message_of(arena, SLICE("Content-Type: application/zip; name=a.zip\n"
		"Content-Transfer-Encoding: base64\n\nUEsDBBQAAAAAAAAAIVgAAAAAAAAAAAAAAAABAAAAYVBLAQIUAxQAAAAAAAAAIVgAAAAAAAAAAAAAAAAB\n"
		"AAAAAAAAAAAAAACAAQAAAABhUEsFBgAAAAABAAEALwAAAB8AAAAAAA==\n"));
	struct attachments *files = attachments_list(message_decode(m, NULL)->mime, NULL);
	bool listed = files->count == 1 && files->list[0].entry_count == 1 && files->list[0].real_type.len > 0;
	setrlimit(RLIMIT_NOFILE, &kept);
	assert_true(all_known && all_used);
	assert_true(listed);
	arena_destroy(&arena);
}

/* Mails of every kind: no crash, texts in UTF-8, in bounded time. */
static void try_mail(struct slice file, double *worst)
{
	struct arena *arena = arena_create();
	clock_t start = clock();
	struct message *m = message_of(arena, file);
	struct decoded *d = message_decode(m, NULL);
	attachments_list(d->mime, NULL);
	double ms = (double)(clock() - start) * 1000 / CLOCKS_PER_SEC;
	*worst = ms > *worst ? ms : *worst;
	assert_true(utf8_valid(d->body.all));
	assert_true(utf8_valid(d->visible.all));
	assert_true(utf8_valid(d->hidden.all));
	for (size_t i = 0; i < m->header_count; i++)
		assert_true(utf8_valid(d->headers[i]));
	arena_destroy(&arena);
}

static size_t try_folder(const char *folder, double *worst)
{
	const char *top = getenv("GATEHOUSE_SHARED");
	struct arena *arena = arena_create();
	struct slice path = arena_printf(arena, "%s/data/%s", top ? top : "../shared", folder);
	DIR *dir = opendir(path.data);
	size_t count = 0;
	for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
		if (e->d_type != DT_REG)
			continue;
		struct slice name = arena_printf(arena, "%s/%s", folder, e->d_name);
		try_mail(shared_file(arena, name.data), worst);
		count++;
	}
	if (dir != NULL)
		closedir(dir);
	arena_destroy(&arena);
	return count;
}

static void test_torture(void **state)
{
	(void)state;
	static const char *const folders[] = {
		"mime/james-mime4j/mimetools-testmsgs", "mime/james-mime4j/testmsgs", "mime/zbateson-mail-mime-parser",
		"mime/MimeKit/html", "mime/MimeKit/text", "mime/MimeKit/messages", "mime/MimeKit/dkim",
			"mime/MimeKit/partial", "mime/rspamd", "mime/spamassassin/t/data/spam",
		"mime/spamassassin/t/data/nice", "corpora/multilingual", "from_spoof/mailsploit/rendered",
		"from_spoof/espoofer/rendered",
	};
	size_t count = 0;
	double worst = 0;
	for (size_t i = 0; i < COUNT(folders); i++)
		count += try_folder(folders[i], &worst);
	if (count == 0) {
		printf("# skipped: no mails\n");
		skip();
	}
	printf("# %zu odd mails, the slowest %.0f ms\n", count, worst);
	assert_true(worst < 5000);
}

struct hostile {
	const char *name, *head, *piece, *tail;
	size_t times;
};

static const struct hostile hostile[] = {
	{ "25 MB of text", "Subject: s\n\n", "some text of a line with http://host.example.com/ in it and more\n",
	  "", 390000 },
	{ "25 MB of HTML", "Content-Type: text/html\n\n", "<p style='color:red'>text <a href='http://x.example/'>y</a></p>\n", "",
	  400000 },
	{ "25 MB in base64", "Content-Type: application/octet-stream; name=x\nContent-Transfer-Encoding: base64\n\n",
	  "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAx\n", "", 340000 },
	{ "a 5 MB line", "Subject: s\n\n", "0123456789", "\n", 500000 },
	{ "a 5 MB line of HTML", "Content-Type: text/html\n\n", "<b>x</b>y ", "\n", 500000 },
	{ "10,000 parts", "Content-Type: multipart/mixed; boundary=b\n\n",
	  "--b\nContent-Type: text/html\n\n<p>x\n", "--b--\n",
	  10000 },
	{ "1,000 levels", "", "Content-Type: multipart/mixed; boundary=b\n\n--b\n", "\nx\n", 1000 },
	{ "100,000 headers", "", "X-H: =?utf-8?Q?=D8=B3?= x\n", "\nx\n", 100000 },
	{ "a header of 5 MB", "Subject: ", "=?utf-8?Q?=D8=B3?= \n ", "x\n\nx\n", 250000 },
};

static void test_hostile(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(hostile); i++) {
		const struct hostile *h = &hostile[i];
		struct arena *arena = arena_create();
		struct buf b = { 0 };
		buf_add_str(&b, h->head);
		for (size_t k = 0; k < h->times; k++)
			buf_add_str(&b, h->piece);
		buf_add_str(&b, h->tail);
		clock_t start = clock();
		struct message *m = message_of(arena, buf_slice(&b));
		message_decode(m, NULL);
		double ms = (double)(clock() - start) * 1000 / CLOCKS_PER_SEC;
		printf("# %s: %.1f MB, %.0f ms, %.1f MB taken\n", h->name, (double)b.len / 1e6, ms,
			(double)arena_size(arena) / 1e6);
		assert_true(ms < 20000);
		assert_true(arena_size(arena) < 900u << 20);
		buf_free(&b);
		arena_destroy(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_sandbox),
		cmocka_unit_test(test_torture),
		cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
