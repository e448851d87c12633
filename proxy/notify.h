#ifndef GATEHOUSE_PROXY_NOTIFY_H
#define GATEHOUSE_PROXY_NOTIFY_H
/* notify: what systemd wants to know (sd_notify(3), sd_listen_fds(3)). Does
 * nothing where there is no systemd. With base/log.c the only one that
 * includes libsystemd. */

void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);
/* Sockets handed over, from descriptor 3 on. */
int notify_activation_fds(void);

#endif
