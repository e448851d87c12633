#include "message/skeleton.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unicode/uchar.h>
#include <unicode/uidna.h>
#include <unicode/unorm2.h>
#include <unicode/uscript.h>
#include <unicode/uspoof.h>
#include <unicode/ustring.h>

/* Longer text is cut: ICU counts in int32_t, and every step may grow it. */
#define TEXT_MAX (64u * 1024 * 1024)
#define BMP 0x10000
#define PROTOTYPE_MAX 8

static pthread_once_t once = PTHREAD_ONCE_INIT;
static USpoofChecker *spoof;
static const UNormalizer2 *fold;     /* NFKC_Casefold: removes what is ignorable too */
static const UNormalizer2 *compose;
static UIDNA *idna;
static char latin_of[BMP];           /* the Latin letter or digit a character looks like, or 0 */
static char ascii_look[0x80][3];     /* skeleton_confusable of each ASCII character */

static void must(UErrorCode status, const char *what)
{
	if (U_SUCCESS(status))
		return;
	fprintf(stderr, "fatal: ICU: %s: %s\n", what, u_errorName(status));
	abort();
}

/* The single ASCII character that UTS #39 takes c for; "rn" is its m. */
static char latin_prototype(UChar32 c)
{
	UChar in[2], out[PROTOTYPE_MAX];
	int32_t len = 0;
	UErrorCode status = U_ZERO_ERROR;
	U16_APPEND_UNSAFE(in, len, c);
	int32_t n = uspoof_getSkeleton(spoof, 0, in, len, out, PROTOTYPE_MAX, &status);
	if (U_FAILURE(status))
		return 0;
	if (n == 2 && out[0] == 'r' && out[1] == 'n')
		return 'm';
	if (n != 1 || out[0] >= 0x80 || !ascii_is_alnum((char)out[0]))
		return 0;
	return ascii_lower((char)out[0]);
}

static bool may_pose(UChar32 c)
{
	UErrorCode status = U_ZERO_ERROR;
	UScriptCode script = uscript_getScript(c, &status);
	return u_isalpha(c) && script != USCRIPT_LATIN && script != USCRIPT_ARABIC && script != USCRIPT_HAN &&
	       script != USCRIPT_HANGUL && script != USCRIPT_HEBREW;
}

static void open_icu(void)
{
	UErrorCode status = U_ZERO_ERROR;
	spoof = uspoof_open(&status);
	must(status, "uspoof_open");
	uspoof_setRestrictionLevel(spoof, USPOOF_HIGHLY_RESTRICTIVE);
	uspoof_setChecks(spoof, USPOOF_RESTRICTION_LEVEL, &status);
	fold = unorm2_getNFKCCasefoldInstance(&status);
	compose = unorm2_getNFCInstance(&status);
	idna = uidna_openUTS46(UIDNA_NONTRANSITIONAL_TO_UNICODE, &status);
	must(status, "open");
	for (UChar32 c = 0x80; c < BMP; c++)
		if (may_pose(c))
			latin_of[c] = latin_prototype(c);
}

static void open_all(void);

void skeleton_preload(void)
{
	pthread_once(&once, open_all);
}

/* UTF-16 text in the making. */
struct wide {
	UChar *text;
	int32_t len;
};

static struct wide from_utf8(struct arena *arena, struct slice utf8)
{
	struct wide w = { 0 };
	UErrorCode status = U_ZERO_ERROR;
	utf8 = slice_head(utf8, TEXT_MAX);
	w.text = arena_array(arena, UChar, utf8.len + 1);
	u_strFromUTF8WithSub(w.text, (int32_t)utf8.len + 1, &w.len, utf8.data ? utf8.data : "",
			     (int32_t)utf8.len, 0xfffd, NULL, &status);
	must(status, "from UTF-8");
	return w;
}

static struct slice to_utf8(struct arena *arena, struct wide w)
{
	UErrorCode status = U_ZERO_ERROR;
	int32_t size = w.len * 3 + 1, len = 0; /* one UTF-16 unit is three octets at most */
	char *out = arena_alloc(arena, (size_t)size);
	u_strToUTF8WithSub(out, size, &len, w.text, w.len, 0xfffd, NULL, &status);
	must(status, "to UTF-8");
	return slice_make(out, (size_t)len);
}

static struct wide normalize(struct arena *arena, const UNormalizer2 *how, struct wide in)
{
	struct wide out = { 0 };
	UErrorCode status = U_ZERO_ERROR;
	int32_t cap = in.len + in.len / 4 + 16;
	for (;;) {
		out.text = arena_array(arena, UChar, (size_t)cap);
		out.len = unorm2_normalize(how, in.text, in.len, out.text, cap, &status);
		if (status != U_BUFFER_OVERFLOW_ERROR)
			break;
		cap = out.len + 1;
		status = U_ZERO_ERROR;
	}
	must(status, "normalize");
	return out;
}

/* Arabic and Persian: one letter for those that readers take for each other. */
static const struct {
	UChar from, to;
} arabic[] = {
	{ 0x0622, 0x0627 }, { 0x0623, 0x0627 }, { 0x0625, 0x0627 }, { 0x0671, 0x0627 }, /* alef */
	{ 0x0624, 0x0648 },                                                             /* waw */
	{ 0x0626, 0x06cc }, { 0x0649, 0x06cc }, { 0x064a, 0x06cc }, { 0x06d2, 0x06cc }, /* yeh */
	{ 0x0629, 0x0647 }, { 0x06c0, 0x0647 }, { 0x06c1, 0x0647 }, { 0x06c2, 0x0647 }, /* heh */
	{ 0x06be, 0x0647 }, { 0x06d5, 0x0647 },
	{ 0x0643, 0x06a9 }, { 0x06aa, 0x06a9 }, { 0x06ab, 0x06a9 },                     /* kaf */
};

static UChar32 fold_arabic(UChar32 c)
{
	for (size_t i = 0; i < sizeof(arabic) / sizeof(arabic[0]); i++)
		if (arabic[i].from == c)
			return arabic[i].to;
	return c;
}

static bool is_arabic_filler(UChar32 c)
{
	return c == 0x0640 || (c >= 0x064b && c <= 0x065f) || c == 0x0670; /* tatweel, vowel marks */
}

/* Latin letters as the Cyrillic ones they pass for, upper or lower case. */
static const char poses_latin[] = "abcehijkmoprstxy";
static const UChar poses_cyrillic[] = {
	0x0430, 0x0432, 0x0441, 0x0435, 0x043d, 0x0456, 0x0458, 0x043a, 0x043c, 0x043e, 0x0440, 0x0433,
	0x0455, 0x0442, 0x0445, 0x0443,
};

static UChar32 cyrillic_of(UChar32 c)
{
	const char *at = c > 0 && c < 0x80 ? strchr(poses_latin, (char)c) : NULL;
	return at ? poses_cyrillic[at - poses_latin] : c;
}

static UScriptCode script_of(UChar32 c)
{
	UErrorCode status = U_ZERO_ERROR;
	return c < 0x80 ? (ascii_is_alpha((char)c) ? USCRIPT_LATIN : USCRIPT_COMMON)
			: uscript_getScript(c, &status);
}

static char latin_look(UChar32 c)
{
	return c < BMP ? latin_of[c] : may_pose(c) ? latin_prototype(c) : 0;
}

static bool is_word(UChar32 c)
{
	return c < 0x80 ? ascii_is_alnum((char)c) : u_isalnum(c) || (U_GET_GC_MASK(c) & U_GC_M_MASK);
}

/* What a stretch of letters is made of. */
struct census {
	size_t latin;    /* Latin letters */
	size_t posers;   /* letters of other scripts that look Latin */
	size_t cyrillic; /* Cyrillic letters that look like nothing else */
	size_t firm;     /* letters of any other script that look like nothing else */
};

static void count_letter(struct census *census, UChar32 c)
{
	if (c < 0x80) {
		census->latin += ascii_is_alpha((char)c);
		return;
	}
	if (!u_isalpha(c))
		return;
	UScriptCode script = script_of(c);
	if (script == USCRIPT_LATIN)
		census->latin++;
	else if (latin_look(c) != 0)
		census->posers++;
	else if (script == USCRIPT_CYRILLIC)
		census->cyrillic++;
	else
		census->firm++;
}

enum reading { READ_AS_IS, READ_LATIN, READ_CYRILLIC };

static enum reading read_word(const struct census *word, const struct census *text)
{
	if (word->firm > 0 || (word->cyrillic > 0 && word->latin == 0))
		return READ_AS_IS;
	if (word->cyrillic > 0)
		return READ_CYRILLIC;
	if (word->posers == 0)
		return READ_AS_IS;
	return word->latin > 0 || text->latin > text->cyrillic + text->firm + text->posers ? READ_LATIN
											   : READ_AS_IS;
}

/* Letters on filled circles and squares, which Unicode lets stand for nothing else. */
static UChar32 unfilled(UChar32 c)
{
	if (c >= 0x1f150 && c <= 0x1f169)
		return 'a' + (c - 0x1f150);
	return c >= 0x1f170 && c <= 0x1f189 ? 'a' + (c - 0x1f170) : c;
}

static UChar32 read_letter(UChar32 c, enum reading reading)
{
	char look = reading == READ_LATIN ? latin_look(c) : 0;
	if (look != 0)
		return (UChar32)look;
	if (reading == READ_CYRILLIC && c < 0x80)
		return cyrillic_of(c);
	int digit = c >= 0x80 ? u_charDigitValue(c) : -1;
	return digit >= 0 ? '0' + digit : fold_arabic(unfilled(c));
}

/* A mark that composed with nothing on a Latin, Greek or Cyrillic letter is
 * there to spoil a match. */
static bool is_piled_mark(UChar32 c, UChar32 base)
{
	if (c < 0x300 || !(U_GET_GC_MASK(c) & (U_GC_MN_MASK | U_GC_ME_MASK)))
		return false;
	UScriptCode script = script_of(base);
	return script == USCRIPT_LATIN || script == USCRIPT_GREEK || script == USCRIPT_CYRILLIC ||
	       script == USCRIPT_COMMON;
}

struct rewriting {
	struct wide in, out;
	struct census text;
	UChar32 base; /* the last character that was no mark */
};

static int32_t word_end(const struct wide *w, int32_t at, struct census *census)
{
	UChar32 c;
	while (at < w->len) {
		int32_t next = at;
		U16_NEXT(w->text, next, w->len, c);
		if (!is_word(c))
			break;
		count_letter(census, c);
		at = next;
	}
	return at;
}

static void rewrite(struct rewriting *r, int32_t from, int32_t to, enum reading reading)
{
	while (from < to) {
		UChar32 c;
		U16_NEXT(r->in.text, from, to, c);
		if (c < 0x80 && reading != READ_CYRILLIC) {
			r->out.text[r->out.len++] = (UChar)(r->base = c);
			continue;
		}
		if (is_arabic_filler(c) || is_piled_mark(c, r->base))
			continue;
		r->base = c = read_letter(c, reading);
		U16_APPEND_UNSAFE(r->out.text, r->out.len, c);
	}
}

static bool is_ascii(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.data[i] >= 0x80)
			return false;
	return true;
}

struct slice skeleton_text(struct arena *arena, struct slice utf8)
{
	if (is_ascii(utf8))
		return arena_lower(arena, utf8);
	skeleton_preload();
	struct rewriting r = { .in = normalize(arena, fold, from_utf8(arena, utf8)) };
	r.out.text = arena_array(arena, UChar, (size_t)r.in.len + 1);
	for (int32_t at = 0; at < r.in.len;) {
		UChar32 c;
		U16_NEXT(r.in.text, at, r.in.len, c);
		count_letter(&r.text, c);
	}
	for (int32_t at = 0; at < r.in.len;) {
		struct census word = { 0 };
		int32_t end = word_end(&r.in, at, &word);
		rewrite(&r, at, end, read_word(&word, &r.text));
		at = end;
		if (at < r.in.len) {
			U16_FWD_1(r.in.text, end, r.in.len);
			rewrite(&r, at, end, READ_AS_IS);
			at = end;
		}
	}
	return to_utf8(arena, r.out);
}

static struct wide spoof_skeleton(struct arena *arena, struct wide in)
{
	struct wide out = { 0 };
	UErrorCode status = U_ZERO_ERROR;
	int32_t cap = in.len * 2 + 16;
	for (;;) {
		out.text = arena_array(arena, UChar, (size_t)cap);
		out.len = uspoof_getSkeleton(spoof, 0, in.text, in.len, out.text, cap, &status);
		if (status != U_BUFFER_OVERFLOW_ERROR)
			break;
		cap = out.len + 1;
		status = U_ZERO_ERROR;
	}
	must(status, "skeleton");
	return out;
}

/* The skeleton is decomposed (UTS #39 4): accents stand by themselves. */
static void drop_marks(struct wide *w)
{
	int32_t len = 0;
	for (int32_t at = 0; at < w->len;) {
		UChar32 c;
		U16_NEXT(w->text, at, w->len, c);
		if (!(U_GET_GC_MASK(c) & (U_GC_MN_MASK | U_GC_ME_MASK)))
			U16_APPEND_UNSAFE(w->text, len, c);
	}
	w->len = len;
}

static struct slice spoof_look(struct arena *arena, struct slice utf8)
{
	struct wide w = spoof_skeleton(arena, normalize(arena, fold, from_utf8(arena, utf8)));
	drop_marks(&w);
	return to_utf8(arena, normalize(arena, fold, w));
}

/* Character by character, as ASCII allows: a list of domains is compared with
 * every author's. */
static struct slice ascii_spoof_look(struct arena *arena, struct slice ascii)
{
	char *out = arena_alloc(arena, 2 * ascii.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < ascii.len; i++)
		for (const char *look = ascii_look[(unsigned char)ascii.data[i]]; *look != '\0'; look++)
			out[len++] = *look;
	return slice_make(out, len);
}

static void open_all(void)
{
	struct arena *arena = arena_create();
	open_icu();
	for (size_t c = 1; c < sizeof(ascii_look) / sizeof(ascii_look[0]); c++) {
		char text = (char)c;
		struct slice look = spoof_look(arena, slice_make(&text, 1));
		memcpy(ascii_look[c], look.data, look.len < 2 ? look.len : 2);
	}
	arena_destroy(&arena);
}

struct slice skeleton_confusable(struct arena *arena, struct slice utf8)
{
	skeleton_preload();
	struct slice s = is_ascii(utf8) ? ascii_spoof_look(arena, utf8) : spoof_look(arena, utf8);
	char *out = arena_alloc(arena, s.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < s.len; i++) {
		bool doubled = s.data[i] == 'v' && i + 1 < s.len && s.data[i + 1] == 'v';
		out[len++] = doubled ? 'w' : s.data[i] == 'i' ? 'l' : s.data[i];
		i += doubled;
	}
	return slice_make(out, len);
}

/* A sign that is no letter in disguise: trade marks, emoji. */
static bool is_ornament(UChar32 c)
{
	UChar in[2], out[PROTOTYPE_MAX];
	int32_t len = 0;
	UErrorCode status = U_ZERO_ERROR;
	if (c == 0x2120 || c == 0x2122) /* SM, TM */
		return true;
	if (c < 0x80 || !(U_GET_GC_MASK(c) & (U_GC_SO_MASK | U_GC_SK_MASK)) || unfilled(c) != c)
		return false;
	U16_APPEND_UNSAFE(in, len, c);
	int32_t n = unorm2_normalize(fold, in, len, out, PROTOTYPE_MAX, &status);
	return U_FAILURE(status) || n == 0 || !u_isalnum(out[0]);
}

static struct slice without_ornaments(struct arena *arena, struct slice utf8)
{
	struct wide w = from_utf8(arena, utf8);
	int32_t len = 0;
	for (int32_t at = 0; at < w.len;) {
		UChar32 c;
		U16_NEXT(w.text, at, w.len, c);
		if (is_ornament(c))
			c = ' ';
		U16_APPEND_UNSAFE(w.text, len, c);
	}
	w.len = len;
	return to_utf8(arena, w);
}

struct slice skeleton_words(struct arena *arena, struct slice utf8)
{
	skeleton_preload();
	struct slice text = is_ascii(utf8) ? utf8 : without_ornaments(arena, utf8);
	struct slice look = skeleton_confusable(arena, skeleton_text(arena, text));
	char *out = arena_alloc(arena, look.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < look.len; i++) {
		char c = look.data[i];
		if (ascii_is_alnum(c) || (unsigned char)c >= 0x80)
			out[len++] = c;
		else if (len > 0 && out[len - 1] != ' ')
			out[len++] = ' ';
	}
	return slice_trim_right(slice_make(out, len));
}

struct slice skeleton_domain(struct arena *arena, struct slice domain)
{
	UErrorCode status = U_ZERO_ERROR;
	UIDNAInfo info = UIDNA_INFO_INITIALIZER;
	if (slice_find_nocase(domain, SLICE("xn--")) == SLICE_NPOS || domain.len > 255)
		return domain;
	skeleton_preload();
	int32_t cap = (int32_t)domain.len * 4 + 16;
	char *out = arena_alloc(arena, (size_t)cap);
	int32_t len =
	    uidna_nameToUnicodeUTF8(idna, domain.data, (int32_t)domain.len, out, cap, &info, &status);
	if (U_FAILURE(status) || len > cap)
		return domain;
	return slice_make(out, (size_t)len);
}

static bool is_bidi(UChar32 c)
{
	return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static bool is_invisible(UChar32 c)
{
	return c == 0xad || c == 0x34f || c == 0x180e || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2060 && c <= 0x2064) || c == 0xfeff || (c >= 0xe0000 && c <= 0xe0fff);
}

static bool is_mixed(const UChar *word, int32_t len)
{
	UErrorCode status = U_ZERO_ERROR;
	return uspoof_check2(spoof, word, len, NULL, &status) != 0 && U_SUCCESS(status);
}

static unsigned sign_of(UChar32 c)
{
	if (c == '\r' || c == '\n')
		return SKELETON_NEWLINE;
	if (c == 0)
		return SKELETON_NUL | SKELETON_CONTROL;
	if ((c < 0x20 && c != '\t') || (c >= 0x7f && c < 0xa0))
		return SKELETON_CONTROL;
	return is_bidi(c) ? SKELETON_BIDI : 0;
}

/* Joiners and direction marks have their place in Arabic and Hebrew. */
static bool is_joiner_or_mark(UChar32 c)
{
	return c >= 0x200c && c <= 0x200f;
}

/* What stands hidden between two letters. */
struct hidden {
	UChar32 before;      /* the last visible character */
	bool any, strange;   /* strange: of no use in any script that these letters may be of */
};

static bool has_no_joiners(UScriptCode script)
{
	return script == USCRIPT_LATIN || script == USCRIPT_CYRILLIC || script == USCRIPT_GREEK;
}

static bool is_disguise(const struct hidden *hidden, UChar32 after)
{
	UScriptCode left = script_of(hidden->before), right = script_of(after);
	if (has_no_joiners(left) && has_no_joiners(right))
		return hidden->any;
	return left == right && (left == USCRIPT_ARABIC || left == USCRIPT_HEBREW) && hidden->strange;
}

static unsigned signs_of_characters(const struct wide *w)
{
	unsigned signs = 0;
	struct hidden hidden = { ' ', false, false };
	for (int32_t at = 0; at < w->len;) {
		UChar32 c;
		U16_NEXT(w->text, at, w->len, c);
		signs |= sign_of(c);
		if (is_invisible(c)) {
			hidden.any = true;
			hidden.strange |= !is_joiner_or_mark(c);
			continue;
		}
		if (hidden.any && is_disguise(&hidden, c))
			signs |= SKELETON_INVISIBLE;
		hidden = (struct hidden){ c, false, false };
	}
	return signs;
}

unsigned skeleton_signs(struct slice utf8)
{
	skeleton_preload();
	struct arena *arena = arena_create();
	struct wide w = normalize(arena, compose, from_utf8(arena, utf8));
	unsigned signs = signs_of_characters(&w);
	for (int32_t at = 0; at < w.len;) {
		struct census word = { 0 };
		int32_t end = word_end(&w, at, &word);
		if (word.latin + word.posers + word.cyrillic + word.firm > 1 &&
		    is_mixed(w.text + at, end - at))
			signs |= SKELETON_MIXED;
		at = end;
		if (at < w.len)
			U16_FWD_1(w.text, at, w.len);
	}
	arena_destroy(&arena);
	return signs;
}
