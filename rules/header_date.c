#include "rules/header_date.h"

struct cursor {
	struct slice s;
};

static void skip(struct cursor *c)
{
	for (;;) {
		c->s = slice_trim_left(c->s);
		if (c->s.len > 0 && (c->s.data[0] == ',' || c->s.data[0] == '.')) {
			c->s = slice_from(c->s, 1);
			continue;
		}
		if (c->s.len == 0 || c->s.data[0] != '(')
			return;
		size_t end = slice_chr(c->s, ')');
		c->s = slice_from(c->s, end == SLICE_NPOS ? c->s.len : end + 1);
	}
}

static bool number(struct cursor *c, size_t most, int64_t *value_r)
{
	size_t n = 0;
	uint64_t value;
	while (n < c->s.len && n < most && ascii_is_digit(c->s.data[n]))
		n++;
	if (!slice_u64(slice_head(c->s, n), 1000000, &value))
		return false;
	c->s = slice_from(c->s, n);
	*value_r = (int64_t)value;
	return true;
}

static struct slice word(struct cursor *c)
{
	size_t n = 0;
	while (n < c->s.len && ascii_is_alpha(c->s.data[n]))
		n++;
	struct slice w = slice_head(c->s, n);
	c->s = slice_from(c->s, n);
	return w;
}

static int month_of(struct slice name)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	for (int i = 0; i < 12 && name.len >= 3; i++)
		if (slice_eq_nocase(slice_head(name, 3), slice_make(names + 3 * i, 3)))
			return i + 1;
	return 0;
}

static const struct {
	const char *name;
	int minutes;
} zones[] = {
	{ "EDT", -240 }, { "EST", -300 }, { "CDT", -300 }, { "CST", -360 }, { "MDT", -360 }, { "MST", -420 },
	{ "PDT", -420 }, { "PST", -480 }, { "AKDT", -480 }, { "AKST", -540 }, { "HST", -600 }, { "BST", 60 },
	{ "MET", 60 }, { "CET", 60 }, { "MEST", 120 }, { "CEST", 120 }, { "EET", 120 }, { "EEST", 180 },
	{ "MSK", 180 }, { "MSD", 240 }, { "IST", 330 }, { "HKT", 480 }, { "JST", 540 }, { "KST", 540 },
	{ "AEST", 600 }, { "NZST", 720 }, { "NZT", 720 }, { "WET", 0 }, { "WEST", 60 }, { "SGT", 480 },
};

static int64_t zone(struct cursor *c)
{
	skip(c);
	if (c->s.len >= 5 && (c->s.data[0] == '+' || c->s.data[0] == '-')) {
		int64_t sign = c->s.data[0] == '-' ? -1 : 1, digits;
		c->s = slice_from(c->s, 1);
		if (number(c, 4, &digits))
			return sign * (digits / 100 * 60 + digits % 100);
		return 0;
	}
	struct slice name = word(c);
	for (size_t i = 0; i < sizeof(zones) / sizeof(*zones); i++)
		if (slice_eq_nocase(name, slice_str(zones[i].name)))
			return zones[i].minutes;
	return 0;
}

/* Days from 1970-01-01 of the Gregorian calendar. */
static int64_t days_of(int64_t year, int month, int64_t day)
{
	year -= month <= 2;
	int64_t era = year / 400, of_era = year - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool clock_time(struct cursor *c, int64_t *seconds_r)
{
	int64_t hour, minute, second = 0;
	if (!number(c, 2, &hour) || c->s.len == 0 || c->s.data[0] != ':')
		return false;
	c->s = slice_from(c->s, 1);
	if (!number(c, 2, &minute))
		return false;
	if (c->s.len > 1 && c->s.data[0] == ':') {
		c->s = slice_from(c->s, 1);
		if (!number(c, 2, &second))
			return false;
	}
	*seconds_r = hour * 3600 + minute * 60 + second;
	return hour < 25 && minute < 60 && second < 62;
}

static void expand_year(int64_t *year)
{
	if (*year < 70)
		*year += 2000;
	else if (*year < 1000)
		*year += 1900;
}

/* "Sat 21 Jan 2012" or "Jan 21 2012"; the time may stand before the year. */
static bool day_and_month(struct cursor *c, int64_t *day_r, int *month_r)
{
	skip(c);
	if (c->s.len > 0 && ascii_is_alpha(c->s.data[0])) {
		struct slice w = word(c);
		skip(c);
		if (c->s.len > 0 && ascii_is_alpha(c->s.data[0])) {
			w = word(c);
			skip(c);
		}
		*month_r = month_of(w);
		if (*month_r > 0)
			return number(c, 2, day_r);
	}
	if (!number(c, 2, day_r))
		return false;
	while (c->s.len > 0 && (ascii_is_space(c->s.data[0]) || c->s.data[0] == '-'))
		c->s = slice_from(c->s, 1);
	*month_r = month_of(word(c));
	while (c->s.len > 0 && (c->s.data[0] == '-' || c->s.data[0] == ','))
		c->s = slice_from(c->s, 1);
	return *month_r > 0;
}

bool header_date_parse(struct slice text, int64_t *time_r)
{
	struct cursor c = { text };
	int64_t day, year, seconds;
	int month = 0;
	if (!day_and_month(&c, &day, &month) || day < 1 || day > 31)
		return false;
	skip(&c);
	struct cursor ahead = c;
	if (clock_time(&ahead, &seconds)) {
		skip(&ahead);
		c = ahead;
		if (ascii_is_alpha(c.s.len > 0 ? c.s.data[0] : '0'))
			word(&c);
		skip(&c);
		if (!number(&c, 4, &year))
			return false;
	} else {
		if (!number(&c, 4, &year))
			return false;
		skip(&c);
		if (!clock_time(&c, &seconds))
			return false;
	}
	expand_year(&year);
	if (year < 1970 || year > 9999)
		return false;
	*time_r = days_of(year, month, day) * 86400 + seconds - zone(&c) * 60;
	return true;
}
