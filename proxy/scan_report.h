#ifndef GATEHOUSE_PROXY_SCAN_REPORT_H
#define GATEHOUSE_PROXY_SCAN_REPORT_H
/* scan_report: what a scan came to, as `gatehouse scan` prints it. */
#include "base/buf.h"
#include "proxy/scan_mail.h"

/* One object on one line, without a line end. */
void scan_report_json(struct buf *out, struct slice file, const struct scan_mail_result *result);
/* A line: action, score, file and symbols; with details a line for each hit. */
void scan_report_text(struct buf *out, struct slice file, const struct scan_mail_result *result, bool details);

#endif
