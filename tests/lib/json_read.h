#ifndef GATEHOUSE_TESTS_LIB_JSON_READ_H
#define GATEHOUSE_TESTS_LIB_JSON_READ_H
/* json_read: a JSON document as a tree, for test data. Fails the test on a bad one. */
#include "base/arena.h"

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_value {
	enum json_kind kind;
	bool truth;
	double number;
	struct slice text;           /* STRING, as UTF-8 */
	struct slice key;            /* as a member of an object */
	struct json_value *first, *next; /* members */
};

const struct json_value *json_read(struct arena *arena, struct slice text);
/* A member of an object; a value of kind JSON_NULL if there is none. */
const struct json_value *json_get(const struct json_value *object, const char *key);
/* Its text, empty if it is no string. */
struct slice json_text(const struct json_value *object, const char *key);

#endif
