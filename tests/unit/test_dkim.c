/*
 * dkim: one mail, one thing wrong with it. The signatures are our own (tests/
 * lib/dkim_signer); the second engine keeps them honest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/buf.h"
#include "filters/dkim.h"
#include "filters/scan.h"
#include "tests/lib/dkim_signer.h"
#include "tests/lib/one_filter.h"
#include "tests/lib/zone_driver.h"

#define NOW 1600000000
#define HEAD "From: Ann <ann@example.org>\r\nTo: bob@example.net\r\nSubject : Two\r\n\t folded  lines\r\n"
#define BODY "Hello  Bob,\r\n\tthis is \t signed. \r\n\r\n-- \r\nAnn\r\n\r\n\r\n"
#define TAGS "v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=sel; h=From:To:Subject"
#define FIELDS "From:To:Subject"

struct dkim_case {
	const char *what;
	const char *tags;          /* NULL: TAGS */
	const char *fields;        /* NULL: FIELDS */
	const char *record;        /* "%s" is p=; NULL: "v=DKIM1; p=%s" */
	const char *more_records;  /* zone lines */
	unsigned bits;             /* of the key; 1: Ed25519 */
	bool simple_header, simple_body, sha1, pkcs1;
	uint64_t length;
	const char *b_tag;
	const char *head, *body;   /* as they arrive; NULL: as signed */
	enum auth_result result;
	const char *reason;
	bool body_cut, testing;
	bool opendkim_cannot;      /* libopendkim: neutral instead */
	const char *symbol;        /* must be there; NULL: any */
};

static const struct dkim_case cases[] = {
	{ "relaxed/relaxed", .result = AUTH_PASS, .reason = "", .symbol = "DKIM_PASS" },
	{ "simple/simple", .tags = "v=1; a=rsa-sha256; d=example.org; s=sel; h=From:To:Subject",
	  .simple_header = true, .simple_body = true, .result = AUTH_PASS, .reason = "" },
	{ "relaxed/simple by default", .tags = "v=1; a=rsa-sha256; c=relaxed; d=example.org; s=sel; h=From:To:Subject",
	  .simple_body = true, .result = AUTH_PASS, .reason = "" },
	{ "simple/relaxed", .tags = "v=1;a=rsa-sha256;c=simple/relaxed;d=example.org;s=sel;h=From:To:Subject",
	  .simple_header = true, .result = AUTH_PASS, .reason = "" },
	{ "ed25519", .bits = 1, .tags = "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.org; s=sel; h=From:To:Subject",
	  .record = "v=DKIM1; k=ed25519; p=%s", .result = AUTH_PASS, .reason = "" },
	{ "RSAPublicKey", .pkcs1 = true, .result = AUTH_PASS, .reason = "", .opendkim_cannot = true },
	{ "folds and spaces between tags", .tags = "v = 1 ;\r\n a\t=\r\n rsa-sha256; c=relaxed/relaxed ;d=example.org; "
	  "s=sel;\r\n\th= From :\r\n\tTo:Subject", .result = AUTH_PASS, .reason = "" },
	{ "a space between b and =", .b_tag = "; b =", .result = AUTH_PASS, .reason = "", .opendkim_cannot = true },
	{ "b= first of all", .tags = "x1=1", .b_tag = "; b=", .result = AUTH_PERMERROR, .reason = "d= is missing" },
	{ "an unknown tag whose name ends in b", .tags = TAGS "; xb=keep", .result = AUTH_PASS, .reason = "",
	  .opendkim_cannot = true },
	{ "over-signed fields", .tags = "v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=sel; "
	  "h=From:From:To:Subject:X-None:X-None", .fields = "From:From:To:Subject:X-None:X-None", .result = AUTH_PASS,
	  .reason = "" },
	{ "over-signed From, a second one added", .tags = "v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=sel; "
	  "h=From:From:To:Subject", .fields = "From:From:To:Subject", .head = "From: eve@example.com\r\n" HEAD,
	  .result = AUTH_FAIL, .reason = "signature did not verify" },
	{ "i= below d=", .tags = TAGS "; i=ann@lists.example.org", .result = AUTH_PASS, .reason = "" },
	{ "i= beside d=", .tags = TAGS "; i=ann@notexample.org", .result = AUTH_PERMERROR,
	  .reason = "i= is not within d=" },
	{ "i= above d=", .tags = TAGS "; i=ann@org", .result = AUTH_PERMERROR, .reason = "i= is not within d=" },
	{ "i= without @", .tags = TAGS "; i=example.org", .result = AUTH_PERMERROR, .reason = "i= has no domain" },
	{ "i= below d=, key strict", .tags = TAGS "; i=@lists.example.org", .record = "v=DKIM1; t=s; p=%s",
	  .result = AUTH_PERMERROR, .reason = "i= is a subdomain, which the key forbids (t=s)" },
	{ "i= is d=, key strict", .tags = TAGS "; i=@Example.ORG", .record = "v=DKIM1; t=s:y; p=%s", .testing = true,
	  .result = AUTH_PASS, .reason = "" },
	{ "changed body", .body = "Hello Bob!\r\n", .result = AUTH_FAIL, .reason = "body hash did not verify",
	  .symbol = "DKIM_FAIL" },
	{ "changed header", .head = "From: Eve <ann@example.org>\r\nTo: bob@example.net\r\n"
	  "Subject : Two\r\n\t folded  lines\r\n", .result = AUTH_FAIL, .reason = "signature did not verify" },
	{ "no v=", .tags = "a=rsa-sha256; d=example.org; s=sel; h=From:To:Subject", .result = AUTH_PERMERROR,
	  .reason = "v= is missing" },
	{ "v=2", .tags = "v=2; a=rsa-sha256; d=example.org; s=sel; h=From:To:Subject", .result = AUTH_PERMERROR,
	  .reason = "v= is not 1" },
	{ "a tag twice", .tags = TAGS "; d=example.com", .result = AUTH_PERMERROR, .reason = "a tag comes twice" },
	{ "From not signed", .tags = "v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=sel; h=To:Subject",
	  .fields = "To:Subject", .result = AUTH_PERMERROR, .reason = "From is not signed" },
	{ "h= empty", .tags = "v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=sel; h=", .fields = "",
	  .result = AUTH_PERMERROR, .reason = "h= is empty" },
	{ "unknown algorithm", .tags = "v=1; a=rsa-sha512; d=example.org; s=sel; h=From:To:Subject",
	  .result = AUTH_PERMERROR, .reason = "a= names an unknown algorithm" },
	{ "rsa-sha1", .sha1 = true, .tags = "v=1; a=rsa-sha1; c=relaxed/relaxed; d=example.org; s=sel; h=From:To:Subject",
	  .result = AUTH_PERMERROR, .reason = "rsa-sha1 is no longer accepted", .symbol = "DKIM_SHA1" },
	{ "q= unknown", .tags = TAGS "; q=http/get", .result = AUTH_PERMERROR, .reason = "q= names no known query method" },
	{ "q= unknown and known", .tags = TAGS "; q=http/get : dns/txt", .result = AUTH_PASS, .reason = "" },
	{ "short key", .bits = 512, .result = AUTH_POLICY, .reason = "key too short", .symbol = "DKIM_WEAK_KEY" },
	{ "expired", .tags = TAGS "; t=1500000000; x=1500000001", .result = AUTH_PERMERROR,
	  .reason = "signature expired", .symbol = "DKIM_EXPIRED" },
	{ "expires this second", .tags = TAGS "; t=1500000000; x=1600000000", .result = AUTH_PASS, .reason = "" },
	{ "expired since, by the system's clock", .tags = TAGS "; t=1599999000; x=1600604800", .result = AUTH_PASS,
	  .reason = "" },
	{ "the same, without t=", .tags = TAGS "; x=1600604800", .result = AUTH_PASS, .reason = "" },
	{ "the same, t= of another epoch", .tags = TAGS "; t=12345; x=1600604800", .result = AUTH_PASS, .reason = "",
	  .opendkim_cannot = true },
	{ "x= before t=", .tags = TAGS "; t=1600000000; x=1599999999", .result = AUTH_PERMERROR,
	  .reason = "x= is not after t=" },
	{ "x= not a number", .tags = TAGS "; x=soon", .result = AUTH_PERMERROR, .reason = "x= is not a time" },
	{ "in the future", .tags = TAGS "; t=1600000301", .result = AUTH_PERMERROR, .reason = "signed in the future" },
	{ "a clock a little ahead", .tags = TAGS "; t=1600000300", .result = AUTH_PASS, .reason = "" },
	{ "l=, nothing more", .tags = TAGS "; l=41", .length = 41, .result = AUTH_PASS, .reason = "" },
	{ "l=, text appended", .tags = TAGS "; l=41", .length = 41, .body = BODY "Buy now!\r\n", .body_cut = true,
	  .result = AUTH_PASS, .reason = "l= leaves 14 octets unsigned", .symbol = "DKIM_BODY_CUT" },
	{ "l= over the body", .tags = TAGS "; l=1000", .length = 1000, .result = AUTH_PERMERROR,
	  .reason = "l= is larger than the body" },
	{ "l= negative", .tags = TAGS "; l=-1", .result = AUTH_PERMERROR, .reason = "l= is not a number" },
	{ "no such key", .record = "", .result = AUTH_PERMERROR, .reason = "no key for the signature" },
	{ "no TXT at the name", .record = "", .more_records = "sel._domainkey.example.org. A 192.0.2.1\n",
	  .result = AUTH_PERMERROR, .reason = "no key for the signature" },
	{ "SERVFAIL", .record = "", .more_records = ";! sel._domainkey.example.org SERVFAIL\n",
	  .result = AUTH_TEMPERROR, .reason = "key look-up failed for now", .symbol = "DKIM_TEMPERROR" },
	{ "time-out", .record = "", .more_records = ";! sel._domainkey.example.org TIMEOUT\n",
	  .result = AUTH_TEMPERROR, .reason = "key look-up failed for now" },
	{ "revoked", .record = "v=DKIM1; p=", .result = AUTH_PERMERROR, .reason = "key revoked",
	  .symbol = "DKIM_REVOKED" },
	{ "revoked, testing", .record = "v=DKIM1; t=y; p=", .result = AUTH_PERMERROR, .reason = "key revoked",
	  .testing = true, .symbol = "DKIM_TESTING" },
	{ "no p=", .record = "v=DKIM1; k=rsa", .result = AUTH_PERMERROR, .reason = "key record without p=" },
	{ "p= not base64", .record = "v=DKIM1; p=%%%%", .result = AUTH_PERMERROR, .reason = "key is not base64" },
	{ "p= no key", .record = "v=DKIM1; p=aGVsbG8=", .result = AUTH_PERMERROR, .reason = "key is unusable" },
	{ "p= with something behind the key", .record = "v=DKIM1; p=%sAAAA", .result = AUTH_PERMERROR,
	  .reason = "key is unusable" },
	{ "key of another version", .record = "v=DKIM2; p=%s", .result = AUTH_PERMERROR,
	  .reason = "key of an unknown version" },
	{ "key of another type", .record = "v=DKIM1; k=ed25519; p=%s", .result = AUTH_PERMERROR,
	  .reason = "key of another type than a=" },
	{ "key for another hash", .record = "v=DKIM1; h=sha1:sha512; p=%s", .result = AUTH_PERMERROR,
	  .reason = "key not for this hash (h=)" },
	{ "key for this hash too", .record = "v=DKIM1; h=sha1 : sha256; p=%s", .result = AUTH_PASS, .reason = "" },
	{ "key for another service", .record = "v=DKIM1; s=tlsrpt; p=%s", .result = AUTH_PERMERROR,
	  .reason = "key not for mail (s=)" },
	{ "key for mail too", .record = "v=DKIM1; s=chat:email; p=%s", .result = AUTH_PASS, .reason = "" },
	{ "key record malformed", .record = "k=rsa; t; p=%s", .result = AUTH_PERMERROR,
	  .reason = "key record is malformed" },
	{ "testing, and fails", .record = "v=DKIM1; t=y; p=%s", .body = "x\r\n", .testing = true, .result = AUTH_FAIL,
	  .reason = "body hash did not verify", .symbol = "DKIM_TESTING" },
	{ "a second record, no key", .more_records = "sel._domainkey.example.org. TXT \"v=spf1 -all\"\n",
	  .result = AUTH_PASS, .reason = "" },
	{ "a space in d=", .tags = "v=1; a=rsa-sha256; d=example.org .evil.com; s=sel; h=From:To:Subject",
	  .result = AUTH_PERMERROR, .reason = "d= is not a domain name", .symbol = "DKIM_ODD_DOMAIN" },
	{ "a comment in d=", .tags = "v=1; a=rsa-sha256; d=example.org(.evil.com; s=sel; h=From:To:Subject",
	  .result = AUTH_PERMERROR, .reason = "d= is not a domain name", .symbol = "DKIM_ODD_DOMAIN" },
	{ "an empty label in s=", .tags = "v=1; a=rsa-sha256; d=example.org; s=sel..x; h=From:To:Subject",
	  .result = AUTH_PERMERROR, .reason = "s= is not a domain name", .symbol = "DKIM_ODD_DOMAIN" },
	{ "d= empty", .tags = "v=1; a=rsa-sha256; d=; s=sel; h=From:To:Subject", .result = AUTH_PERMERROR,
	  .reason = "d= is empty" },
	{ "d= and s= in capitals", .tags = "v=1; a=rsa-sha256; c=relaxed/relaxed; d=EXAMPLE.Org; s=SEL; h=From:To:Subject",
	  .result = AUTH_PASS, .reason = "" },
	{ "bh= altered", .tags = TAGS "; bh=AAAA", .result = AUTH_PERMERROR, .reason = "a tag comes twice" },
	{ "b= not base64", .b_tag = "; b=%", .result = AUTH_PERMERROR, .reason = "b= is not base64" },
};

static struct dkim_settings settings_default(int engine)
{
	return (struct dkim_settings){
		.common = { .enabled = true }, .engine = engine, .max_signatures = 8, .min_key_bits = 1024,
		.partial_body = true, .clock_drift = 300000,
	};
}

static const char *pick(const char *given, const char *fallback)
{
	return given ? given : fallback;
}

static struct zone *zone_for(const struct dkim_case *c, const struct test_key *key)
{
	struct buf text = { 0 };
	const char *record = pick(c->record, "v=DKIM1; p=%s");
	const char *p = c->pkcs1 ? test_key_p_pkcs1(key) : test_key_p(key), *mark = strstr(record, "%s");
	if (record[0] != '\0') {
		buf_add_str(&text, "sel._domainkey.example.org. TXT \"");
		buf_add(&text, record, mark ? (size_t)(mark - record) : strlen(record));
		buf_printf(&text, "%s%s\"\n", mark ? p : "", mark ? mark + 2 : "");
	}
	buf_add_str(&text, pick(c->more_records, ""));
	struct zone *zone = zone_of(buf_cstr(&text));
	buf_free(&text);
	return zone;
}

static struct slice mail_for(struct arena *arena, const struct dkim_case *c, const struct test_key *key)
{
	struct signing s = {
		.key = key, .hash = c->sha1 ? DKIM_SHA1 : DKIM_SHA256,
		.header_canon = c->simple_header ? DKIM_SIMPLE : DKIM_RELAXED,
		.body_canon = c->simple_body ? DKIM_SIMPLE : DKIM_RELAXED,
		.tags = pick(c->tags, TAGS), .fields = pick(c->fields, FIELDS), .length = c->length, .b_tag = c->b_tag,
	};
	struct slice field = sign(arena, &s, SLICE(HEAD), SLICE(BODY));
	return arena_printf(arena, "%.*s%s\r\n%s", SLICE_ARG(field), pick(c->head, HEAD), pick(c->body, BODY));
}

static struct scan *run(struct arena *arena, struct slice mail, size_t chunk, const struct zone *zone,
			const struct dkim_settings *settings)
{
	struct filter_choice choice = { &dkim_filter, settings };
	struct scan *scan = one_filter_scan(arena, &choice, 1, NOW);
	one_filter_message(scan, mail, chunk, zone);
	return scan;
}

static bool wrong(const struct dkim_case *c, const char *what, const struct dkim_fact *f)
{
	printf("%s: %s: %s, %.*s\n", c->what, what, auth_result_name(f->result), SLICE_ARG(f->reason));
	return false;
}

static bool is_right(const struct dkim_case *c, const struct scan *scan, bool opendkim)
{
	assert_int_equal(scan->facts.dkim_count, 1);
	const struct dkim_fact *f = &scan->facts.dkim[0];
	if (opendkim && c->opendkim_cannot)
		return f->result == AUTH_NEUTRAL || wrong(c, "libopendkim can do it after all", f);
	if (f->result != c->result || !slice_eq(f->reason, slice_str(c->reason)))
		return wrong(c, "result", f);
	if (f->body_cut != c->body_cut || f->testing != c->testing)
		return wrong(c, "flags", f);
	if (c->symbol != NULL && hits_find(&scan->hits, c->symbol) == NULL)
		return wrong(c, c->symbol, f);
	return (hits_find(&scan->hits, "DKIM_BODY_CUT") != NULL) == c->body_cut || wrong(c, "DKIM_BODY_CUT", f);
}

static bool run_case(const struct dkim_case *c, const struct dkim_settings *settings, size_t chunk)
{
	struct arena *arena = arena_create();
	const struct test_key *key = test_key(c->bits == 0 ? 1024 : c->bits == 1 ? 0 : c->bits);
	struct zone *zone = zone_for(c, key);
	struct scan *scan = run(arena, mail_for(arena, c, key), chunk, zone, settings);
	bool right = is_right(c, scan, settings->engine == DKIM_ENGINE_OPENDKIM);
	zone_destroy(&zone);
	arena_destroy(&arena);
	return right;
}

static void run_cases(int engine, const char *title)
{
	size_t all = sizeof(cases) / sizeof(cases[0]), able = 0, right = 0;
	struct dkim_settings settings = settings_default(engine);
	for (size_t i = 0; i < all; i++) {
		right += run_case(&cases[i], &settings, i % 3);
		able += engine == DKIM_ENGINE_NATIVE || !cases[i].opendkim_cannot;
	}
	printf("# count dkim cases, %s: %zu of %zu\n", title, able + right - all, all);
	assert_int_equal(right, all);
}

static void test_native(void **state)
{
	(void)state;
	run_cases(DKIM_ENGINE_NATIVE, "native");
}

static void test_opendkim(void **state)
{
	(void)state;
	run_cases(DKIM_ENGINE_OPENDKIM, "libopendkim");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_native),
		cmocka_unit_test(test_opendkim),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
