/*
 * Sends mail over TLS as fast as it is taken.
 *
 *	tls_source PORT starttls|implicit|none SESSIONS-AT-A-TIME SESSIONS MAILS OCTETS
 *
 * Each session is a connection of its own with a whole handshake, MAILS mails
 * and QUIT. Ends with status 1 at the first unexpected reply.
 */
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct peer {
	int fd;
	SSL *ssl;
	char line[4096];
	size_t have;
};

static void fail(const char *what)
{
	fprintf(stderr, "tls_source: %s\n", what);
	exit(1);
}

static void say(struct peer *p, const char *text, size_t len)
{
	long done = p->ssl != NULL ? SSL_write(p->ssl, text, (int)len) : send(p->fd, text, len, MSG_NOSIGNAL);
	if (done != (long)len)
		fail(text);
}

/* Reads to the end of a reply; its first digit must be `want`. */
static void expect(struct peer *p, char want, const char *after)
{
	for (;;) {
		char *end = memchr(p->line, '\n', p->have);
		if (end == NULL) {
			char *to = p->line + p->have;
			size_t room = sizeof(p->line) - p->have;
			long n = p->ssl != NULL ? SSL_read(p->ssl, to, (int)room) : recv(p->fd, to, room, 0);
			if (n <= 0)
				fail(after);
			p->have += (size_t)n;
			continue;
		}
		bool last = p->line[3] != '-';
		if (p->line[0] != want)
			fail(after);
		p->have -= (size_t)(end + 1 - p->line);
		memmove(p->line, end + 1, p->have);
		if (last)
			return;
	}
}

static void command(struct peer *p, const char *text, char want)
{
	say(p, text, strlen(text));
	expect(p, want, text);
}

static void handshake(struct peer *p, SSL_CTX *ctx)
{
	p->ssl = SSL_new(ctx);
	SSL_set_fd(p->ssl, p->fd);
	if (SSL_connect(p->ssl) != 1)
		fail("handshake");
}

static void session(unsigned port, const char *mode, SSL_CTX *ctx, int mails, const char *content)
{
	struct peer p = { .fd = socket(AF_INET, SOCK_STREAM, 0) };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (connect(p.fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		fail("connect");
	if (strcmp(mode, "implicit") == 0)
		handshake(&p, ctx);
	expect(&p, '2', "greeting");
	command(&p, "EHLO client.example.net\r\n", '2');
	if (strcmp(mode, "starttls") == 0) {
		command(&p, "STARTTLS\r\n", '2');
		handshake(&p, ctx);
		command(&p, "EHLO client.example.net\r\n", '2');
	}
	for (int i = 0; i < mails; i++) {
		command(&p, "MAIL FROM:<ann@example.net>\r\n", '2');
		command(&p, "RCPT TO:<bob@example.org>\r\n", '2');
		command(&p, "DATA\r\n", '3');
		command(&p, content, '2');
	}
	command(&p, "QUIT\r\n", '2');
	SSL_free(p.ssl);
	close(p.fd);
}

static char *make_content(size_t octets)
{
	static const char head[] = "From: ann@example.net\r\nTo: bob@example.org\r\nSubject: measured\r\n\r\n";
	static const char text[] = "A line of text that says nothing at all.\r\n";
	char *content = malloc(sizeof(head) + octets + sizeof(text) + 8), *at = content;
	at += sprintf(at, "%s", head);
	while ((size_t)(at - content) < octets)
		at += sprintf(at, "%s", text);
	sprintf(at, ".\r\n");
	return content;
}

int main(int argc, char **argv)
{
	if (argc != 7)
		return 64;
	int at_a_time = atoi(argv[3]), sessions = atoi(argv[4]), failed = 0, status;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	char *content = make_content(strtoul(argv[6], NULL, 10));
	for (int i = 0; i < at_a_time; i++) {
		if (fork() != 0)
			continue;
		for (int k = i; k < sessions; k += at_a_time)
			session((unsigned)atoi(argv[1]), argv[2], ctx, atoi(argv[5]), content);
		_exit(0);
	}
	while (wait(&status) > 0)
		failed |= status;
	free(content);
	SSL_CTX_free(ctx);
	return failed != 0;
}
