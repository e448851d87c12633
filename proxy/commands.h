#ifndef GATEHOUSE_PROXY_COMMANDS_H
#define GATEHOUSE_PROXY_COMMANDS_H
/*
 * commands: what `gatehouse COMMAND` can do. Each takes its own arguments,
 * argv[0] being its name, and returns the exit status (sysexits(3), or what
 * its manual says). Each knows --help.
 */
int cli_run(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_scan(int argc, char **argv);
int cli_rules(int argc, char **argv);
int cli_quarantine(int argc, char **argv);
int cli_shadow(int argc, char **argv);
int cli_spf(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_reload(int argc, char **argv);
int cli_why(int argc, char **argv);
int cli_replay(int argc, char **argv);
/* Executed by the master only (proxy/worker_fds.h). */
int compiler_main(int argc, char **argv);
int rule_images_main(int argc, char **argv);
int worker_main(int argc, char **argv);
int milter_worker_main(int argc, char **argv);

#endif
