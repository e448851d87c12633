#ifndef GATEHOUSE_PROXY_MASTER_H
#define GATEHOUSE_PROXY_MASTER_H
/*
 * master: binds, starts and watches the workers, reloads, drains. It sees no
 * byte of mail.
 *
 * SIGHUP reloads: a compiler process of the workers' user reads and checks
 * the configuration; a bad one is refused and the old stays. A good one is a
 * new generation of workers; when they are ready the old ones are told to
 * drain. SIGTERM and SIGINT drain all and end. A worker that dies is started
 * again, with back-off.
 */

/* Runs until it is told to stop. path: the configuration. sysexits(3). */
int master_run(const char *path);

#endif
