/* A milter on libmilter that sees all of a mail and has it accepted with four fields on top: what any filter
 * that judges a mail's content costs at the least. null_milter SOCKET */
#include <libmilter/mfapi.h>
#include <stdio.h>
#include <sys/stat.h>

#define ACTIONS (SMFIF_ADDHDRS | SMFIF_CHGHDRS)
#define STEPS (SMFIP_NOUNKNOWN | SMFIP_NODATA | SMFIP_SKIP | SMFIP_HDR_LEADSPC | SMFIP_NR_CONN | SMFIP_NR_HELO | \
	       SMFIP_NR_MAIL | SMFIP_NR_HDR | SMFIP_NR_EOH)

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps, unsigned long f2,
			     unsigned long f3, unsigned long *actions_r, unsigned long *steps_r, unsigned long *f2_r,
			     unsigned long *f3_r)
{
	(void)ctx, (void)f2, (void)f3;
	*actions_r = actions & ACTIONS;
	*steps_r = steps & STEPS;
	*f2_r = *f3_r = 0;
	return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *address)
{
	(void)ctx, (void)host, (void)address;
	return SMFIS_NOREPLY;
}

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
	(void)ctx, (void)name;
	return SMFIS_NOREPLY;
}

static sfsistat on_mail(SMFICTX *ctx, char **args)
{
	(void)ctx, (void)args;
	return SMFIS_NOREPLY;
}

static sfsistat on_rcpt(SMFICTX *ctx, char **args)
{
	(void)ctx, (void)args;
	return SMFIS_CONTINUE;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	(void)ctx, (void)name, (void)value;
	return SMFIS_NOREPLY;
}

static sfsistat on_end_of_header(SMFICTX *ctx)
{
	(void)ctx;
	return SMFIS_NOREPLY;
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *bytes, size_t len)
{
	(void)ctx, (void)bytes, (void)len;
	return SMFIS_CONTINUE;
}

static sfsistat on_end(SMFICTX *ctx)
{
	char name[] = "X-Looked-On", value[] = " a value of some length, as that of a field that tells what was found is;\n"
					       "\tin two lines, or nearly so many";
	for (int i = 0; i < 4; i++)
		smfi_insheader(ctx, 0, name, value);
	return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
	char name[] = "null", address[200];
	const struct smfiDesc callbacks = {
		.xxfi_name = name, .xxfi_version = SMFI_VERSION, .xxfi_flags = ACTIONS, .xxfi_connect = on_connect,
		.xxfi_helo = on_helo, .xxfi_envfrom = on_mail, .xxfi_envrcpt = on_rcpt, .xxfi_header = on_header,
		.xxfi_eoh = on_end_of_header, .xxfi_body = on_body, .xxfi_eom = on_end, .xxfi_negotiate = on_negotiate,
	};
	if (argc < 2)
		return 64;
	snprintf(address, sizeof(address), "unix:%s", argv[1]);
	umask(0);
	return smfi_register(callbacks) != MI_SUCCESS || smfi_setconn(address) != MI_SUCCESS || smfi_main() != MI_SUCCESS;
}
