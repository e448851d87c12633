#include "tests/lib/zone_driver.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/zonefile.h"

static void die(const char *what)
{
	fprintf(stderr, "zone_driver: %s\n", what);
	abort();
}

struct zone *zone_of(const char *lines)
{
	struct zone *zone = zone_create();
	struct zone_errors errors;
	if (!zonefile_parse(zone, slice_str(lines), &errors)) {
		fprintf(stderr, "zone line %u: %s\n", errors.list[0].line, errors.list[0].text);
		die("bad zone");
	}
	return zone;
}

static struct answer answer_one(const struct question *q, const struct zone *zone)
{
	struct answer answer = { .status = ANSWER_TEMPERROR, .why = "not in this test" };
	if (q->kind == QUESTION_DNS)
		return zone_lookup(zone, q->name, q->type);
	if (q->kind == QUESTION_JOB) {
		q->job.run(q->job.arg);
		answer = (struct answer){ .status = ANSWER_FOUND };
	}
	return answer;
}

size_t zone_driver_answer(struct questions *questions, const struct zone *zone)
{
	size_t count = 0;
	struct question *q;
	while ((q = questions_next(questions)) != NULL) {
		struct answer answer = answer_one(q, zone);
		question_answer(questions, q->index, &answer);
		count++;
	}
	return count;
}

void zone_driver_run(struct scan *scan, enum phase upto, const struct zone *zone)
{
	while (pipeline_advance(scan, upto) == PIPELINE_NEED)
		if (zone_driver_answer(scan->questions, zone) == 0)
			die("a filter needs an answer it has not asked for");
}
