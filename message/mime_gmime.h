#ifndef GATEHOUSE_MESSAGE_MIME_GMIME_H
#define GATEHOUSE_MESSAGE_MIME_GMIME_H
/*
 * mime_gmime: the tree of parts as GMime makes it, the second engine behind
 * mime_parse(). Includes gmime. No other readings of what is broken, and no
 * places in the message: its parts are copies.
 */
#include "message/mime.h"

/* GMime's own start, once in a process; before threads and the sandbox. */
void mime_gmime_start(void);
/* m within its limits: GMime itself has none. */
struct mime *mime_gmime_parse(const struct message *m, const struct mime_limits *limits);

#endif
