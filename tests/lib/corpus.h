#ifndef GATEHOUSE_TESTS_LIB_CORPUS_H
#define GATEHOUSE_TESTS_LIB_CORPUS_H
/* corpus: the mails of a corpus of the test data, one by one. */
#include "base/slice.h"

/*
 * Calls mail(arg, path, bytes) for each file of corpora/NAME whose path holds
 * `part`, in the order of their paths; unpacks the corpus under build/ the
 * first time, where tests/lib/corpora.py looks for it too. False: it isn't
 * there ("# skipped: …" is then printed).
 */
bool corpus_each(const char *name, const char *part,
		 void (*mail)(void *arg, const char *path, struct slice bytes), void *arg);

#endif
