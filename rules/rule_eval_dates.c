/* Eval functions about dates: of the Date field against those of Received. */
#include "rules/eval_pattern.h"
#include "rules/header_date.h"
#include "rules/rule_eval.h"
#include "rules/rule_header.h"

#define RECEIVED_MAX 64u
#define YEAR_SECONDS 31556952.0

struct eval_dates {
	bool have_date, have_received;
	int64_t date;
	int64_t received[RECEIVED_MAX];
	size_t received_count;
	int64_t fetchmail;         /* 0: none */
	double difference;         /* Date minus the nearest Received, seconds */
};

static bool date_in(struct rule_scan *s, struct slice text, int64_t *time_r)
{
	struct regex_match m;
	return eval_search(s, RECEIVED_DATE, text, 0, &m) &&
	       header_date_parse(slice_sub(text, m.start, m.end - m.start), time_r);
}

static bool read_date(struct rule_scan *s, const char *name, int64_t *time_r)
{
	const struct header *h;
	for (size_t n = 0; n < 8 && (h = message_header(s->in.message, slice_str(name), n)) != NULL; n++)
		if (header_date_parse(header_unfold(s->arena, h->value), time_r))
			return true;
	return false;
}

/* Fields that the local machine and fetchmail wrote say when it was fetched, not sent. */
static size_t skip_local(struct rule_scan *s, const struct slice *list, size_t count, struct eval_dates *d)
{
	size_t skipped = 0;
	if (count > 0 && (eval_is(s, IS_LOCAL_RECEIVED, list[0]) || eval_is(s, IS_QMAIL_LOCAL, list[0])))
		skipped = 1;
	if (count <= skipped || !eval_is(s, IS_FETCHMAIL, list[skipped]))
		return 0;
	skipped++;
	for (size_t i = 0; i < skipped; i++) {
		int64_t time;
		if (date_in(s, list[i], &time) && time <= s->in.now && time > d->fetchmail)
			d->fetchmail = time;
	}
	return skipped;
}

static void read_received(struct rule_scan *s, struct eval_dates *d)
{
	struct slice list[RECEIVED_MAX];
	size_t count = rule_header_list(s, "Received", list, RECEIVED_MAX);
	for (size_t i = skip_local(s, list, count, d); i < count; i++)
		if (date_in(s, list[i], &d->received[d->received_count]))
			d->received_count++;
	d->have_received = d->received_count > 0;
}

static double magnitude(double v)
{
	return v < 0 ? -v : v;
}

static void compare(struct eval_dates *d)
{
	if (!d->have_date || !d->have_received)
		return;
	/* A last field that equals the date was written by the sender's own machine. */
	size_t n = d->received_count;
	if (n > 1 && d->received[n - 1] == d->date)
		n--;
	d->difference = (double)(d->date - d->received[0]);
	for (size_t i = 1; i < n; i++)
		if (magnitude((double)(d->date - d->received[i])) < magnitude(d->difference))
			d->difference = (double)(d->date - d->received[i]);
}

static struct eval_dates *dates_of(struct rule_scan *s)
{
	if (s->evals->dates != NULL)
		return s->evals->dates;
	struct eval_dates *d = s->evals->dates = arena_new(s->arena, struct eval_dates);
	d->have_date = read_date(s, "Resent-Date", &d->date) || read_date(s, "Date", &d->date);
	read_received(s, d);
	compare(d);
	return d;
}

/* Hours, at least the first and less than the second argument. */
static double check_for_shifted_date(struct rule_scan *s, const struct rule *rule)
{
	const struct eval_dates *d = dates_of(s);
	double hours = d->difference / 3600;
	if (hours < eval_number(rule, 0, -1e300) || hours >= eval_number(rule, 1, 1e300))
		return 0;
	eval_evidence(s, rule, "Date is %.1f hours from the nearest Received", hours);
	return 1;
}

static int64_t middle(int64_t *list, size_t n)
{
	for (size_t i = 1; i < n; i++)
		for (size_t k = i; k > 0 && list[k] > list[k - 1]; k--) {
			int64_t t = list[k];
			list[k] = list[k - 1];
			list[k - 1] = t;
		}
	return n > 0 ? list[(n - 1) / 2] : 0;
}

static double received_within_months(struct rule_scan *s, const struct rule *rule)
{
	const struct eval_dates *d = dates_of(s);
	int64_t possible[4];
	size_t n = 0;
	if (d->have_date)
		possible[n++] = d->date;
	if (d->have_received)
		possible[n++] = d->received[0];
	if (d->fetchmail > 0)
		possible[n++] = d->fetchmail;
	if (d->have_date && d->have_received)
		possible[n++] = d->date - (int64_t)d->difference;
	double age = (double)(s->in.now - middle(possible, n)) / (YEAR_SECONDS / 12);
	return age >= eval_number(rule, 0, -1e300) && age < eval_number(rule, 1, 1e300);
}

/* Outlook's Message-ID holds the time in units of some 430 seconds. */
#define OUTLOOK_FACTOR 0.0023283064365387
#define OUTLOOK_OFFSET 27111902.8329849
#define OUTLOOK_TOLERANCE 250

static bool outlook_far(int64_t token, int64_t time)
{
	int64_t expected = (int64_t)((double)time * OUTLOOK_FACTOR + OUTLOOK_OFFSET);
	int64_t difference = token - expected;
	return difference >= OUTLOOK_TOLERANCE || difference <= -OUTLOOK_TOLERANCE;
}

static double check_outlook_message_id(struct rule_scan *s, const struct rule *rule)
{
	struct slice id = rule_header_text(s, "MESSAGEID"), received = rule_header_text(s, "Received");
	int64_t token = 0, time = 0;
	(void)rule;
	if (!eval_is(s, IS_OUTLOOK_ID, id))
		return 0;
	struct slice digits = eval_group(s, id, 1);
	for (size_t i = 0; i < digits.len; i++)
		token = token * 16 + ascii_hex(digits.data[i]);
	if (!header_date_parse(rule_header_text(s, "Date"), &time))
		time = 0;
	if (!outlook_far(token, time))
		return 0;
	time = 0;
	date_in(s, received, &time);
	return outlook_far(token, time);
}

const struct eval_function eval_dates[] = {
	{ .name = "check_for_shifted_date", .fn = check_for_shifted_date, .min_args = 2, .max_args = 2 },
	{ .name = "received_within_months", .fn = received_within_months, .min_args = 2, .max_args = 2 },
	{ .name = "check_outlook_message_id", .fn = check_outlook_message_id },
	{ .name = NULL },
};
