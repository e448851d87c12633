#ifndef GATEHOUSE_MESSAGE_AUTHRES_H
#define GATEHOUSE_MESSAGE_AUTHRES_H
/*
 * authres: the Authentication-Results field (RFC 8601): written from facts,
 * read, and told apart from forgeries that bear our name.
 */
#include "base/buf.h"
#include "message/envelope.h"
#include "message/facts.h"
#include "message/message.h"

struct authres_property {
	struct slice ptype, name;    /* "header" "from"; lower case; ptype empty where there was no dot */
	struct slice value;          /* unquoted */
};

struct authres_result {
	struct slice method;         /* "dkim", lower case */
	enum auth_result result;     /* AUTH_UNKNOWN: a word that RFC 8601 hasn't */
	struct slice word;           /* the result as written, lower case */
	struct slice reason;
	struct authres_property *properties;
	size_t property_count;
};

struct authres {
	struct slice id;             /* authserv-id, unquoted, as written */
	unsigned version;            /* 1 if left out */
	struct authres_result *results;
	size_t count;                /* 0: "none" */
};

#define AUTHRES_RESULTS_MAX 64
#define AUTHRES_PROPERTIES_MAX 32

/*
 * value: behind the field's colon (folds and all), or behind "i=1;" of an
 * ARC-Authentication-Results. False: not of the form of RFC 8601 2.2, or over
 * the limits above; *authres_r is then empty. Empty results ("; ;") and a
 * property without ptype, which some sites write, are let through.
 */
bool authres_parse(struct arena *arena, struct slice value, struct authres *authres_r);
/* The value of a property, "header" "d"; empty if there is none. */
struct slice authres_property(const struct authres_result *result, const char *ptype, const char *name);

/*
 * True if the field bears our authserv-id in any way a reader might see it:
 * whatever case, comments, folds, quotes, encoded words, a version, a final
 * dot, U-labels, characters that no name has, nothing before the first ";";
 * and, where a quote or comment never ends, anywhere in it (RFC 8601 5: such
 * fields are removed when they come from outside).
 */
bool authres_is_ours(struct slice value, struct slice authserv_id);

/* True: a field of a mail from outside that only we may write, to be removed:
 * Authentication-Results of our id, X-Spam-*, X-Gatehouse-*. Also under a name spoilt by
 * white space or control characters, as lax readers see through them. */
bool authres_must_remove(const struct header *field, struct slice authserv_id);
/* Indices of those of a message, in the arena. */
struct removals {
	size_t *fields;
	size_t count;
};
struct removals authres_removals(struct arena *arena, const struct message *message, struct slice authserv_id);

/*
 * The whole field with its name, folded, with a final CRLF: every fact that
 * is known. host: who iprev judged (filters/judged.h); family 0: unknown.
 * What came from outside is quoted where it must be, and cut to 256 octets.
 */
void authres_write(struct buf *out, struct slice authserv_id, const struct facts *facts,
		   const struct client *client, const struct ip *host);

#endif
