#ifndef GATEHOUSE_PROXY_MILTER_LIBRARY_H
#define GATEHOUSE_PROXY_MILTER_LIBRARY_H
/*
 * milter_library: libmilter's callbacks, put into milter.h's words. One server
 * a process, because libmilter keeps its state in globals.
 */
#include "proxy/milter.h"

/* Takes connections from the listening socket; returns when it can't any
 * more. libmilter waits for SIGHUP, SIGTERM and SIGINT in a thread of its own
 * and ends all sessions on them: they must never reach it. */
void milter_library_run(struct milter_server *server, int fd);

#endif
