#ifndef GATEHOUSE_PROXY_MILTER_PRIVATE_H
#define GATEHOUSE_PROXY_MILTER_PRIVATE_H
/* What milter.c, milter_transaction.c and milter_edits.c have in common. */
#include "filters/scan.h"
#include "policy/verdict.h"
#include "proxy/content.h"
#include "proxy/milter.h"
#include "proxy/smtp_data.h"

struct milter_transaction {
	struct arena *arena;
	struct scan *scan;
	struct wait *wait;
	struct content *content;
	struct smtp_data data;
	struct buf chunk;          /* canonical bytes of one call */
	char **paths;              /* recipients as the server gave them, as those of the envelope */
	struct verdict verdict;
	bool storage_failed;
	bool headers_entered, headers_done; /* PHASE_HEADERS */
	size_t body_fed;           /* octets of the content that the filters have had, the header section among them */
	bool lost;                 /* its header section alone gets it refused: the body doesn't matter */
	int64_t t_mail, t_data, t_end, t_filtered, t_done; /* monotonic ms */
	char id[TRACE_ID_LEN + 1];
	char reply[256];           /* what the client was told, for the log */
};

struct milter {
	struct milter_server *server;
	const struct milter_mta *mta;
	void *arg;
	struct milter_offers offers;
	struct arena *arena;       /* of the client's strings */
	struct client client;      /* of its address: what doesn't change with HELO, STARTTLS and AUTH */
	struct milter_transaction *transaction; /* NULL between mails */
	char id[TRACE_ID_LEN + 1];
};

/* Empty: not defined. */
struct slice milter_macro(const struct milter *m, const char *name);
/* The client as it stands now, with what the macros tell of it. */
void milter_client(struct milter *m, struct client *client_r);
/* Path and parameters of MAIL and RCPT, as the mail server has taken them: what
 * can't be parsed is kept as text. */
void milter_sender(struct arena *arena, char *const *args, struct envelope *envelope);
void milter_recipient(struct arena *arena, char *const *args, struct recipient *recipient_r);
/* Takes away, changes and adds header fields as the verdict asks. False: the
 * server refused one of the changes. */
bool milter_edit(struct milter *m, const struct scan *scan, const struct verdict *verdict);
/* Takes all recipients away and puts that address in their place. False: as above. */
bool milter_redirect(struct milter *m, const struct envelope *envelope, char *const *paths, struct slice address);
/* paths, with room for one more than the count there are. */
char **milter_more_paths(struct arena *arena, char **paths, size_t count);

#endif
