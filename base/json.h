#ifndef GATEHOUSE_BASE_JSON_H
#define GATEHOUSE_BASE_JSON_H
/*
 * json: writes JSON (RFC 8259) into a buffer, on one line. Commas, quotes and
 * escapes are its care; that each object and array is closed is the caller's
 * (asserted). Octets that are not UTF-8 come out as the four characters \xNN:
 * JSON has no bytes.
 *
 *	struct json j = json_begin(&buf);
 *	json_open_object(&j);
 *	json_key(&j, "hits"); json_open_array(&j); … json_close_array(&j);
 *	json_str(&j, "file", path);
 *	json_close_object(&j);
 */
#include "base/buf.h"

#define JSON_DEPTH 63

struct json {
	struct buf *out;
	unsigned depth;
	uint64_t arrays;    /* bit: that level is an array */
	uint64_t filled;    /* bit: that level has something in it */
	bool keyed;         /* a key waits for its value */
};

struct json json_begin(struct buf *out);

void json_open_object(struct json *j);
void json_close_object(struct json *j);
void json_open_array(struct json *j);
void json_close_array(struct json *j);
void json_key(struct json *j, const char *key);
void json_key_slice(struct json *j, struct slice key);

void json_string(struct json *j, struct slice s);
void json_int(struct json *j, int64_t n);
void json_uint(struct json *j, uint64_t n);
/* The shortest form that reads back the same; null if not finite. */
void json_double(struct json *j, double d);
void json_bool(struct json *j, bool b);
void json_null(struct json *j);

/* Key and value in one. */
void json_str(struct json *j, const char *key, struct slice value);
void json_num(struct json *j, const char *key, int64_t value);
void json_real(struct json *j, const char *key, double value);
void json_flag(struct json *j, const char *key, bool value);

/* The string with its quotes, for other writers. */
void json_add_quoted(struct buf *out, struct slice s);

#endif
