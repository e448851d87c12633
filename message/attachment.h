#ifndef GATEHOUSE_MESSAGE_ATTACHMENT_H
#define GATEHOUSE_MESSAGE_ATTACHMENT_H
/*
 * attachment: the files a mail carries: what they are called, what they are
 * said to be, what they are, and what is in the archives among them. Costs
 * more than the rest of decoding: asked for by itself.
 */
#include "message/mime.h"

struct attachment_limits {
	size_t files;            /* 0: 200 */
	size_t entries;          /* listed of all archives of a mail. 0: 1,000 */
	unsigned depth;          /* archives in archives. 0: 3 */
	uint64_t bytes;          /* unpacked, of a mail. 0: 32 MB */
};

/* A file inside an archive. */
struct archived_file {
	int container;           /* index of the archive it is in among the entries; -1: the attachment */
	struct slice name;       /* path, UTF-8 */
	struct slice extension;  /* lower case, without the dot */
	struct slice real_type;  /* as of attachment; empty: not read */
	uint64_t size;           /* as the archive says, unpacked */
	bool directory, encrypted, link;
};

struct attachment {
	size_t part;             /* index */
	struct slice name;
	struct slice extension;  /* of the name: lower case, last one, trailing dots and spaces ignored */
	struct slice declared_type;
	struct slice real_type;  /* by its bytes, as MIME type; empty: unknown */
	struct slice description; /* for people, of what is executable or a mismatch */
	size_t size;
	bool mismatch;           /* name or declared type lead to another kind of program than the bytes do */
	bool executable;         /* a program or script by bytes or name, or such a file in the archive */
	bool double_extension;   /* "invoice.pdf.exe" */
	bool encrypted;          /* (some of) the archive, or the document */
	bool macros;             /* an Office document with a VBA project */
	bool archive;
	bool archive_broken;     /* it ended in an error */
	bool cut;                /* a limit ended the listing */
	struct archived_file *entries;
	size_t entry_count;
};

struct attachments {
	struct attachment *list;
	size_t count;
};

/* Of a file name: lower case, the last one, trailing dots and spaces ignored. */
struct slice attachment_extension(struct arena *arena, struct slice name);
/* Loads libmagic's tables; before the sandbox closes. Thread-safe after. */
bool attachment_preload(void);
/* Every leaf that is no text of the mail, alternative readings included.
 * limits may be NULL. In mime's arena. */
struct attachments *attachments_list(struct mime *mime, const struct attachment_limits *limits);

#endif
