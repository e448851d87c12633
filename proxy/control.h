#ifndef GATEHOUSE_PROXY_CONTROL_H
#define GATEHOUSE_PROXY_CONTROL_H
/*
 * control: the master's local socket. A client writes one line and reads the
 * answer up to the end: "status", "status json", "reload". Only the user who
 * runs the master may connect (mode 0600).
 */
#include "base/buf.h"
#include "policy/config.h"

struct event_base;
struct control;

/* Answers a command line into out. */
typedef void control_fn(void *arg, struct slice command, struct buf *out);

/* NULL: errno. */
struct control *control_open(struct event_base *base, const char *path, control_fn *fn, void *arg);
void control_close(struct control **control);

#define CONTROL_PATH_MAX 1200 /* more than a socket's name may have: that is an error where it is used */
/* The socket's path: runtime, else the state's directory, else beside /run. */
void control_path(const struct config *config, char out[CONTROL_PATH_MAX]);
/* As a client: sends command, prints the answer on stdout. sysexits(3). */
int control_ask(const char *path, const char *command);

#endif
