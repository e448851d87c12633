/*
 * The mails of noxxi's MIME toolkit all hide the same file, each by another
 * trick; some mail reader shows it, so it must be among the parts. The MD5 in
 * their header is of the mail, to tell changes in transfer; what the file is
 * the one mail of full validity tells.
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

struct tally {
	unsigned found[4], all[4]; /* by validity: 3 is beyond doubt, 0 is off the standard */
};

struct mail {
	struct arena *arena;
	struct message message;
	struct slice id;
	unsigned validity;
};

static struct slice between(struct slice s, const char *open, const char *close)
{
	size_t a = slice_find(s, slice_str(open));
	if (a == SLICE_NPOS)
		return SLICE_EMPTY;
	s = slice_from(s, a + strlen(open));
	return slice_head(s, slice_find(s, slice_str(close)));
}

static bool load(struct mail *mail, const char *folder, const char *name)
{
	mail->arena = arena_create();
	struct slice path = arena_printf(mail->arena, "mime_evasion/noxxi-mime-is-broken/%s/%s", folder, name);
	struct slice file = shared_file(mail->arena, path.data);
	mail->message = (struct message){ 0 };
	message_parse(&mail->message, mail->arena, message_canonical(mail->arena, file).bytes, 1000);
	const struct header *h = message_header(&mail->message, SLICE("X-Payload-Id"), 0);
	if (h == NULL)
		return false;
	struct slice value = header_unfold(mail->arena, h->value);
	mail->id = slice_trim(slice_head(value, slice_find(value, SLICE(" valid("))));
	mail->validity = (unsigned)(between(value, "valid(", ")").data[0] - '0');
	return mail->validity < 4;
}

static struct slice hidden; /* the file */

/* The plain mail: its second part is the file. */
static bool learn_hidden(struct mail *mail)
{
	if (!slice_eq(mail->id, SLICE("multipart-basic-singlepart-qph-basic-qp-basic")))
		return true;
	struct mime *mime = mime_parse(&mail->message, NULL);
	assert_int_equal(mime->count, 3);
	assert_true(slice_eq(mime->parts[2].name, SLICE("eicar.zip")));
	struct slice bytes = part_bytes(mime, &mime->parts[2]);
	hidden = slice_make(memcpy(xmalloc(bytes.len), bytes.data, bytes.len), bytes.len);
	return true;
}

/* But for CR and LF: the generator left the LF out of most quoted-printable bodies, and the mail that
 * has the file in the clear can't come over SMTP as it is. */
static bool same_file(struct slice a, struct slice b)
{
	size_t i = 0, k = 0;
	while (i < a.len || k < b.len) {
		if (i < a.len && (a.data[i] == '\r' || a.data[i] == '\n'))
			i++;
		else if (k < b.len && (b.data[k] == '\r' || b.data[k] == '\n'))
			k++;
		else if (i == a.len || k == b.len || a.data[i++] != b.data[k++])
			return false;
	}
	return true;
}

/* The file is among the parts. */
static bool content_found(struct mail *mail)
{
	struct mime *mime = mime_parse(&mail->message, NULL);
	for (size_t i = 0; i < mime->count; i++)
		if (same_file(part_bytes(mime, &mime->parts[i]), hidden))
			return true;
	return false;
}

/* The name that a reader may show is among the names of the part with the file. */
static bool name_found(struct mail *mail)
{
	if (slice_ends(mail->id, SLICE(".png")))
		return true; /* hides nothing */
	struct mime *mime = mime_parse(&mail->message, NULL);
	for (size_t i = 0; i < mime->count; i++) {
		const struct part *part = &mime->parts[i];
		for (size_t k = 0; k < part->name_count; k++)
			if (slice_ends(part->names[k], SLICE(".zip")) || slice_ends(part->names[k], SLICE("zip\"")))
				return true;
	}
	return false;
}

/* What is not found, and why. Any other is a defect. */
static const struct {
	const char *id, *why;
} on_purpose[] = {
	{ "multipart-basic-singlepart-mac-binhex", "the BinHex in it holds something else" },
	{ "multipart-basic-singlepart-mac-binhex40", "the BinHex in it holds something else" },
	{ "multipart-basic-singlepart-x-gzip64", "an encoding that nobody registered and no reader undoes" },
	{ "fname-ctype.rfc2231.*0nl*1", "the name's halves stand in two Content-Type fields, which no reader joins" },
	{ "fname-ctype.rfc2231.*1nl*0", "the name's halves stand in two Content-Type fields, which no reader joins" },
	{ "fname-cdisp.rfc2231.*1nl*0", "the name's halves stand in two fields of different names, which no reader joins" },
	{ "fname-cdisp.rfc2231.*0nl*1", "the name's halves stand in two fields of different names, which no reader joins" },
};
static unsigned unexplained;

static const char *purpose(struct slice id)
{
	for (size_t i = 0; i < sizeof(on_purpose) / sizeof(*on_purpose); i++)
		if (slice_eq(id, slice_str(on_purpose[i].id)))
			return on_purpose[i].why;
	unexplained++;
	return "A DEFECT";
}

static bool run_folder(const char *folder, bool (*found)(struct mail *), struct tally *tally)
{
	const char *top = getenv("GATEHOUSE_SHARED");
	char path[4096];
	snprintf(path, sizeof(path), "%s/data/mime_evasion/noxxi-mime-is-broken/%s",
		 top ? top : "../shared", folder);
	DIR *dir = opendir(path);
	if (dir == NULL)
		return false;
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		struct mail mail;
		if (e->d_name[0] == '.')
			continue;
		if (load(&mail, folder, e->d_name)) {
			bool ok = found(&mail);
			tally->all[mail.validity]++;
			tally->found[mail.validity] += ok;
			if (!ok)
				printf("# not found: valid %u %.*s %s: %s\n", mail.validity, SLICE_ARG(mail.id), e->d_name,
				       purpose(mail.id));
		}
		arena_destroy(&mail.arena);
	}
	closedir(dir);
	return true;
}

static unsigned print_tally(const char *what, const struct tally *tally)
{
	unsigned all = 0, found = 0;
	for (int v = 3; v >= 0; v--) {
		printf("# count: %s, validity %d: %u of %u\n", what, v, tally->found[v], tally->all[v]);
		all += tally->all[v];
		found += tally->found[v];
	}
	printf("# count: %s: %u of %u\n", what, found, all);
	return all - found;
}

static void test_hidden_content(void **state)
{
	(void)state;
	struct tally tally = { .all = { 0 } }, none = tally;
	if (!run_folder("hide-content.d/new", learn_hidden, &none)) {
		printf("# skipped: no mime_evasion\n");
		skip();
	}
	assert_int_equal(hidden.len, 186);
	run_folder("hide-content.d/new", content_found, &tally);
	free((void *)(uintptr_t)hidden.data);
	unsigned missed = print_tally("hidden files found", &tally);
	assert_int_equal(unexplained, 0);
	assert_int_equal(tally.found[3], tally.all[3]);
	assert_int_equal(tally.found[2], tally.all[2]);
	assert_true(missed <= 3);
}

static void test_hidden_names(void **state)
{
	(void)state;
	struct tally tally = { .all = { 0 } };
	if (!run_folder("hide-filename.d/cur", name_found, &tally)) {
		printf("# skipped: no mime_evasion\n");
		skip();
	}
	unsigned missed = print_tally("hidden names found", &tally);
	assert_int_equal(unexplained, 0);
	for (int v = 1; v < 4; v++)
		assert_int_equal(tally.found[v], tally.all[v]);
	assert_true(missed <= 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hidden_content),
		cmocka_unit_test(test_hidden_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
