#ifndef GATEHOUSE_PROXY_ENVELOPE_LINES_H
#define GATEHOUSE_PROXY_ENVELOPE_LINES_H
/*
 * envelope_lines: MAIL and RCPT as a backend with those capabilities (enum
 * backend_cap) is told them. Parameters it doesn't know are left out: it would
 * refuse them.
 */
#include "base/buf.h"
#include "message/envelope.h"

void envelope_add_mail(struct buf *line, const struct envelope *envelope, unsigned caps);
void envelope_add_rcpt(struct buf *line, const struct recipient *recipient, unsigned caps);

#endif
