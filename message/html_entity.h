#ifndef GATEHOUSE_MESSAGE_HTML_ENTITY_H
#define GATEHOUSE_MESSAGE_HTML_ENTITY_H
/* html_entity: character references (HTML Living Standard 13.5) to UTF-8. */
#include "base/arena.h"

/* text with its references decoded; text itself if there are none. In an
 * attribute a name without ";" before "=", a letter or a digit is none. */
struct slice html_entities_decode(struct arena *arena, struct slice text, bool attribute);

#endif
