#ifndef GATEHOUSE_MESSAGE_MIME_TREE_H
#define GATEHOUSE_MESSAGE_MIME_TREE_H
/* mime_tree: what mime.c, mime_part.c and mime_salvage.c share. Private to them. */
#include "message/mime.h"

#define MIME_MAX_BOUNDARIES 8u

/* A stretch of bytes that is to become a part. */
struct pending_part {
	struct slice raw;
	int parent;
	unsigned depth;
	bool message;            /* a whole message, not a body part */
	bool digest;             /* default type is message/rfc822, RFC 2046 5.1.5 */
	bool alternative;
	enum transfer_encoding forced; /* of an alternative reading of a leaf */
	bool is_forced;
	struct slice forced_name;
};

struct mime_builder {
	struct mime *mime;
	const struct message *message;
	struct pending_part *stack; /* the next one last */
	size_t pending, cap;
	unsigned salvages;          /* alternative readings tried */
	size_t budget;              /* octets that may yet be decoded or read again */
};

/* Becomes a part after those pushed later: push siblings last first. False: over a limit. */
bool mime_push(struct mime_builder *b, const struct pending_part *p);

/* Takes raw apart into head and body and sets all that follows from the head. */
void mime_read_part(struct mime_builder *b, struct part *part, const struct pending_part *p);

/* All that follows from the part's headers. digest: its type is message/rfc822 where none is named. */
void mime_read_fields(struct mime_builder *b, struct part *part, bool digest);

/* The boundaries that readers may take from the part's Content-Type fields, the likeliest first. */
size_t mime_boundaries(struct mime_builder *b, const struct part *part,
	struct slice list[MIME_MAX_BOUNDARIES]);

/* Pushes the pieces of body between the delimiter lines of boundary (RFC 2046 5.1.1). Returns how many
 * there were; 0: no delimiter line. *defects_r: of enum part_defect. */
size_t mime_split(struct mime_builder *b, size_t parent, struct slice body, struct slice boundary,
	bool alternative,
		  unsigned *defects_r);
/* Is there a delimiter line that opens a part? */
bool mime_boundary_seen(struct slice body, struct slice boundary);

/* Pushes other readings of a leaf, or of a multipart's preamble and epilogue. */
void mime_salvage(struct mime_builder *b, size_t index);

#endif
