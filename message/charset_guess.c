/*
 * Which charset unlabelled text is in. Octet patterns tell the multi-byte
 * ones; among those of one octet a character, the candidate wins whose reading
 * gives the letters that its languages use most, in words that look like
 * words. Frequencies are of the languages' letters in order, not of any
 * corpus's.
 */
#include <pthread.h>

#include "base/utf8.h"
#include "message/charset_tables.h"

#define SAMPLE 8192u /* octets looked at */

struct candidate {
	const char *name;
	const char *often, *some;  /* characters: the most used third, and the rest */
	bool latin;                /* its letters stand in words among ASCII ones */
	int bias;                  /* below 0: the less common of two that read alike */
};

#define RUSSIAN_OFTEN "оеаинтсрвлк"
#define RUSSIAN_SOME "мдпуяыьгзбчйхжшюцщэфъё"
#define ARABIC_OFTEN "اليمونرتهبد"
#define ARABIC_SOME "سعکكگپچژشقحفأجخصضطظغثذزىةئءإؤآ،؟"
#define GREEK_OFTEN "αοιετσνηρυ"
#define GREEK_SOME "κπμλωςίόάέήύώγδθχβφξζψϊϋΰΐ"
#define HEBREW_OFTEN "יוהלארתבשמ"
#define HEBREW_SOME "נםדקעחפגכטסזצןךףץ"
#define WESTERN_OFTEN "éèàáíóúñçãäöüßêâ"
#define WESTERN_SOME "ëïîôûùòìõåæøœÿ’‘“”–—…•«»®©™°€£¡¿ªº§·"

#define CYRILLIC(set, less) { .name = set, .often = RUSSIAN_OFTEN, .some = RUSSIAN_SOME "«»—№“”„…–", \
	.bias = less }
#define POLISH(set, less) { .name = set, .latin = true, .often = "ąęłśżćńó", .some = "źĄĘŁŚŻĆŃŹÓ’‘“”–—…„", \
	.bias = less }
#define CZECH(set, less) { .name = set, .latin = true, .often = "ěščřžýáíéúů", \
	.some = "óôľĺťďňŕäĚŠČŘŽÝÁÍÉÚŮĎŤŇ’‘“”–—…„", .bias = less }
#define HUNGARIAN(set, less) { .name = set, .latin = true, .often = "áéíóöőúüű", \
	.some = "ÁÉÍÓÖŐÚÜŰ’‘“”–—…„", .bias = less }
#define ROMANIAN(set, less) { .name = set, .latin = true, .often = "ăâîşţ", .some = "ĂÂÎŞŢ’‘“”–—…„", \
	.bias = less }
#define CROATIAN(set, less) { .name = set, .latin = true, .often = "šđčćž", .some = "ŠĐČĆŽ’‘“”–—…„", \
	.bias = less }

static const struct candidate candidates[] = {
	{ .name = "CP1252", .latin = true, .often = WESTERN_OFTEN, .some = WESTERN_SOME },
	POLISH("CP1250", -3), CZECH("CP1250", -3), HUNGARIAN("CP1250", -8), ROMANIAN("CP1250", -8),
		CROATIAN("CP1250", -8),
	POLISH("ISO-8859-2", -4), CZECH("ISO-8859-2", -4), HUNGARIAN("ISO-8859-2", -9), ROMANIAN("ISO-8859-2", -9),
	CROATIAN("ISO-8859-2", -9),
	{ .name = "CP1254", .latin = true, .often = "ışğüçöİ", .some = "âîûŞĞÜÇÖ’‘“”–—…", .bias = -3 },
	{ .name = "CP1257", .latin = true, .often = "āēīšņļķžėąčųūį", .some = "ģęõäöüĀĒĪŠŅĻĶŽĖĄČŲŪĮĢ„“”–—…",
	  .bias = -6 },
	CYRILLIC("CP1251", 0), CYRILLIC("KOI8-R", 0), CYRILLIC("CP866", -2), CYRILLIC("ISO-8859-5", -2),
	CYRILLIC("MAC-CYRILLIC", -3),
	{ .name = "CP1251", .often = RUSSIAN_OFTEN "ії", .some = RUSSIAN_SOME "єґ«»—№“”„…–" },
	{ .name = "KOI8-U", .often = RUSSIAN_OFTEN "ії", .some = RUSSIAN_SOME "єґ«»", .bias = -1 },
	{ .name = "RK1048", .often = RUSSIAN_OFTEN "әғқңұүі", .some = RUSSIAN_SOME "өһ«»—№“”", .bias = -1 },
	{ .name = "CP1256", .often = ARABIC_OFTEN, .some = ARABIC_SOME "ـًٌٍَُِّْ«»“”" },
	{ .name = "ISO-8859-6", .often = ARABIC_OFTEN, .some = ARABIC_SOME "ـًٌٍَُِّْ؛", .bias = -1 },
	{ .name = "CP1253", .often = GREEK_OFTEN, .some = GREEK_SOME "«»“”–…" },
	{ .name = "ISO-8859-7", .often = GREEK_OFTEN, .some = GREEK_SOME "«»", .bias = -1 },
	{ .name = "ISO-8859-8", .often = HEBREW_OFTEN, .some = HEBREW_SOME },
	{ .name = "CP874", .often = "านรอกเงยลม่วดท",
	  .some = "สต้ะบปคีแจิหใำไพัขชถุูื็โึซผญธฐศษณภฎฏฑฒฬฮฉฌๆฯ์๊๋ฝฟฤ" },
	{ .name = "GEORGIAN-PS", .often = "აიესრდმნოთ", .some = "ლვბუგკშხფცტზქყჩძპწჯღჭჰჟ", .bias = -6 },
	{ .name = "ARMSCII-8", .often = "աեինորտմկվ", .some = "հսդլյգպբցւշզծխքղջչղճփթռօֆժ", .bias = -6 },
};
#define CANDIDATES (sizeof(candidates) / sizeof(*candidates))

enum octet_class { OCTET_OTHER, OCTET_LETTER, OCTET_CAPITAL, OCTET_MARK, OCTET_UNDEFINED };

static struct {
	size_t index[CANDIDATES];
	int8_t weight[CANDIDATES][256];
	uint8_t class[CANDIDATES][256];
} model;

static bool text_has(const char *text, uint32_t code)
{
	uint32_t c;
	for (struct slice s = slice_str(text); s.len > 0;) {
		size_t n = utf8_next(s, &c);
		if (n == 0)
			return false;
		if (c == code)
			return true;
		s = slice_from(s, n);
	}
	return false;
}

/* Punctuation and symbols that stand in these lists are no letters. */
static bool is_symbol(uint32_t code)
{
	return (code >= 0xa0 && code < 0xc0 && code != 0xaa && code != 0xba) || code == 0xd7 || code == 0xf7 ||
		(code >= 0x2000 && code < 0x2c00) || code == 0x60c || code == 0x61b || code == 0x61f;
}

/* Of the scripts that have cases and are listed by small letters here. */
static uint32_t small_letter(uint32_t code)
{
	if ((code >= 0x410 && code < 0x430) || (code >= 0x391 && code < 0x3aa) || (code >= 0xc0 && code < 0xdf))
		return code == 0xd7 ? code : code + 0x20;
	if (code >= 0x400 && code < 0x410)
		return code + 0x50;
	if ((code >= 0x48a && code < 0x4c0) || (code >= 0x4d0 && code < 0x530) || (code >= 0x100 && code < 0x138))
		return code | 1;
	return code;
}

static void weigh(size_t i, unsigned octet, uint16_t code)
{
	const struct candidate *c = &candidates[i];
	uint32_t small = small_letter(code);
	bool capital = small != code;
	if (code == 0xfffd || (code >= 0x80 && code < 0xa0)) {
		model.weight[i][octet] = -100;
		model.class[i][octet] = OCTET_UNDEFINED;
		return;
	}
	bool often = text_has(c->often, small), some = text_has(c->some, small) || text_has(c->some, code);
	int weight = often ? 100 : some ? 55 : is_symbol(code) ? -100 : -40;
	if (capital && weight > 0)
		weight -= 20;
	model.weight[i][octet] = (int8_t)weight;
	model.class[i][octet] = (uint8_t)(is_symbol(code) ? OCTET_MARK : weight < 0 ? OCTET_OTHER :
					  capital ? OCTET_CAPITAL : OCTET_LETTER);
}

static void make_model(void)
{
	for (size_t i = 0; i < CANDIDATES; i++) {
		model.index[i] = charset_index(candidates[i].name);
		const uint16_t *map = charset_single_map(model.index[i]);
		for (unsigned octet = 0; octet < 256; octet++) {
			if (octet >= 0x80 && map != NULL)
				weigh(i, octet, map[octet]);
			else if (ascii_is_alpha((char)octet))
				model.class[i][octet] = octet >= 'a' ? OCTET_LETTER : OCTET_CAPITAL;
		}
	}
}

static bool is_letter(unsigned class)
{
	return class == OCTET_LETTER || class == OCTET_CAPITAL;
}

/* Mean weight of the octets over 0x7f, less what no writer does. */
static int score(size_t i, struct slice s)
{
	const uint8_t *class = model.class[i];
	long sum = 0, count = 0;
	unsigned before = OCTET_OTHER;
	bool before_high = false;
	for (size_t at = 0; at < s.len; at++) {
		unsigned octet = (unsigned char)s.data[at], now = class[octet];
		unsigned next = at + 1 < s.len ? class[(unsigned char)s.data[at + 1]] : (unsigned)OCTET_OTHER;
		bool high = octet >= 0x80;
		if (high) {
			count++;
			sum += model.weight[i][octet];
			if (before == OCTET_LETTER && now == OCTET_CAPITAL)
				sum -= 80;
			if ((now == OCTET_MARK || now == OCTET_OTHER) && is_letter(before) && is_letter(next))
				sum -= 60;
		}
		/* Scripts other than Latin don't mix with it inside a word; Latin words aren't all accents. */
		if (!candidates[i].latin && high != before_high && is_letter(now) && is_letter(before))
			sum -= 40;
		if (candidates[i].latin && high && before_high && is_letter(now) && is_letter(before))
			sum -= 70;
		before = now;
		before_high = high;
	}
	return count == 0 ? 0 : (int)(sum / count) + candidates[i].bias;
}

/* Only what word processors put into English: quotes, dashes, hard spaces. */
static bool is_western_punctuation(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];
		if (c >= 0x80 && c != 0xa0 && c != 0xa9 && c != 0xad && c != 0xae && c != 0x82 && c != 0x84 && c != 0x85 &&
		    c != 0x99 && !(c >= 0x91 && c <= 0x97))
			return false;
	}
	return true;
}

/* Scripts other than Latin write words of such octets; one that stands alone is a sign. */
static bool has_high_pair(struct slice s)
{
	for (size_t i = 1; i < s.len; i++)
		if ((unsigned char)s.data[i - 1] >= 0x80 && (unsigned char)s.data[i] >= 0x80)
			return true;
	return false;
}

/* *score_r: how well the reading fits, to 100. */
static size_t guess_single(struct slice s, int *score_r)
{
	*score_r = 100;
	if (is_western_punctuation(s))
		return charset_index("CP1252");
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, make_model);
	size_t best = 0;
	int best_score = score(0, s);
	bool words = has_high_pair(s);
	for (size_t i = 1; i < CANDIDATES; i++) {
		if (!words && !candidates[i].latin)
			continue;
		int got = score(i, s);
		if (got > best_score && model.index[i] < charset_count) {
			best = i;
			best_score = got;
		}
	}
	*score_r = best_score;
	return model.index[best];
}

/* How many of the two-octet characters of s are legal, and how many of those
 * are among the ones that texts are made of. */
struct cjk_count {
	size_t pairs, bad, common;
};

struct cjk {
	const char *name;
	unsigned char lead_min, lead_max, trail_min, trail_max;
	unsigned char common_min, common_max;  /* leads of kana, Hangul, first-level Han */
	unsigned char common2_min, common2_max;
	unsigned char single_min, single_max;  /* octets that stand alone (half-width kana) */
	bool has_four;                         /* characters of four octets */
};

static const struct cjk cjk_list[] = {
	{ "EUC-JP-MS", 0xa1, 0xfe, 0xa1, 0xfe, 0xa4, 0xa5, 0xb0, 0xcf, 0, 0, false },
	{ "CP932", 0x81, 0xfc, 0x40, 0xfc, 0x82, 0x83, 0x88, 0x97, 0xa1, 0xdf, false },
	{ "UHC", 0xa1, 0xfe, 0x41, 0xfe, 0xb0, 0xc8, 0xb0, 0xc8, 0, 0, false },
	{ "GB18030", 0x81, 0xfe, 0x40, 0xfe, 0xb0, 0xd7, 0xb0, 0xd7, 0, 0, true },
	{ "BIG5-HKSCS", 0xa1, 0xf9, 0x40, 0xfe, 0xa4, 0xc6, 0xa4, 0xc6, 0, 0, false },
};

static struct cjk_count count_cjk(const struct cjk *c, struct slice s)
{
	struct cjk_count r = { 0 };
	for (size_t i = 0; i < s.len; i++) {
		unsigned char lead = (unsigned char)s.data[i];
		if (lead < 0x80)
			continue;
		if (lead >= c->single_min && lead <= c->single_max && c->single_max > 0)
			continue;
		if (i + 1 == s.len)
			break;
		unsigned char trail = (unsigned char)s.data[++i];
		if (c->has_four && ascii_is_digit((char)trail)) { /* GB18030: lead, digit, lead, digit */
			i += 2;
			continue;
		}
		bool ok = lead >= c->lead_min && lead <= c->lead_max && trail >= c->trail_min && trail <= c->trail_max;
		r.pairs++;
		r.bad += !ok;
		r.common += ok && ((lead >= c->common_min && lead <= c->common_max) ||
				   (lead >= c->common2_min && lead <= c->common2_max));
	}
	return r;
}

static size_t count_kana_euc(struct slice s)
{
	size_t n = 0;
	for (size_t i = 0; i + 1 < s.len; i++) {
		if ((unsigned char)s.data[i] < 0x80)
			continue;
		n += (unsigned char)s.data[i] == 0xa4 || (unsigned char)s.data[i] == 0xa5;
		i++;
	}
	return n;
}

/* charset_count: none of them. *share_r: of characters that are everyday ones. */
static size_t guess_cjk(struct slice s, double *share_r)
{
	size_t best = charset_count;
	double best_share = 0; /* of characters that are everyday ones */
	for (size_t i = 0; i < sizeof(cjk_list) / sizeof(*cjk_list); i++) {
		struct cjk_count n = count_cjk(&cjk_list[i], s);
		if (n.pairs < 2 || n.bad * 50 > n.pairs)
			continue;
		double share = (double)n.common / (double)n.pairs;
		/* GB 2312's and KS X 1001's everyday rows are rows of Japanese too, where there are always kana. */
		if (i == 0 && count_kana_euc(s) * 5 < n.pairs)
			share = 0;
		/* Words of an odd number of octets give illegal pairs: none in a while means there are no such words. */
		if (share < (n.bad == 0 && n.pairs >= 6 ? 0.35 : 0.6))
			continue;
		if (share > best_share + (i > 2 ? 0.02 : 0)) {
			best = charset_index(cjk_list[i].name);
			best_share = share;
		}
	}
	*share_r = best_share;
	return best;
}

/* Words of 8-bit octets alone, against octets that stand among ASCII letters. */
static bool stands_among_ascii(struct slice s)
{
	size_t among = 0, high = 0;
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.data[i] < 0x80)
			continue;
		high++;
		among += (i > 0 && ascii_is_alpha(s.data[i - 1])) || (i + 1 < s.len && ascii_is_alpha(s.data[i + 1]));
	}
	return among * 2 > high;
}

static bool has_many_zeros(struct slice s, size_t *index_r)
{
	size_t zero[2] = { 0, 0 };
	for (size_t i = 0; i < s.len; i++)
		zero[i & 1] += s.data[i] == '\0';
	size_t both = zero[0] + zero[1];
	if (s.len < 4 || both * 4 < s.len)
		return false;
	*index_r = charset_index(zero[0] > zero[1] ? "UTF-16BE" : "UTF-16LE");
	return zero[0] > both * 9 / 10 || zero[1] > both * 9 / 10;
}

size_t charset_guess(struct slice bytes)
{
	struct slice s = slice_head(bytes, SAMPLE);
	size_t index;
	if (slice_starts(s, SLICE("\xff\xfe")) || slice_starts(s, SLICE("\xfe\xff")))
		return charset_index("UTF-16");
	if (slice_find(s, SLICE("\x1b$)C")) != SLICE_NPOS)
		return charset_index("ISO-2022-KR");
	if (slice_find(s, SLICE("\x1b$B")) != SLICE_NPOS || slice_find(s, SLICE("\x1b$@")) != SLICE_NPOS)
		return charset_index("ISO-2022-JP");
	if (has_many_zeros(s, &index))
		return index;
	int fits;
	double share;
	size_t single = guess_single(s, &fits);
	if (stands_among_ascii(s))
		return single;
	index = guess_cjk(s, &share);
	return index < charset_count && (share >= 0.6 || fits < 50) ? index : single;
}
