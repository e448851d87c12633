#ifndef GATEHOUSE_FILTERS_AUTHOR_H
#define GATEHOUSE_FILTERS_AUTHOR_H
/*
 * author: the one author domain (RFC 9989 5.3.1), or that there is none. All
 * that judges by From goes by facts.author, which filter author sets at
 * HEADERS: name it in `after`.
 *
 * There is none unless there is exactly one From field that all mail readers
 * see, all of its mailboxes have the same domain, and no careless reading of
 * the field finds another.
 */
#include "filters/filter.h"
#include "message/facts.h"
#include "message/mailbox_list.h"
#include "message/message.h"

extern const struct filter author_filter;

struct author_fact author_decide(struct arena *arena, const struct message *message);

/*
 * How a field's name is written. Behind AUTHOR_SPACED a mail reader may take
 * the field for another, or for none.
 */
enum author_spelling {
	AUTHOR_PLAIN,
	AUTHOR_SPACED,   /* blanks before the colon, obsolete (RFC 5322 4.5) */
	AUTHOR_SPOILT,   /* a fold or other characters before the colon, or something in front */
};

/*
 * The nth field of the message that some mail reader takes for a field of
 * that name, however it is written. NULL: no more.
 */
const struct header *author_field(const struct message *message, struct slice name, size_t nth,
				  enum author_spelling *spelling_r);
/* What stands behind its colon. */
struct slice author_field_value(const struct header *field);

#endif
