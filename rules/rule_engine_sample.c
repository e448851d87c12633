#include "rules/rule_engine_sample.h"

static const char sample[] =
	"Subject: Minutes of Thursday's meeting and what is left to do\n"
	"From: \"Anna Keller\" <anna.keller@example.org>\n"
	"Received: from mail.example.net (mail.example.net [192.0.2.17]) by mx.example.org (Postfix)\n"
	"Message-ID: <20230411093012.4F2A61C0E5@mail.example.net>\n"
	"Content-Type: text/html; charset=\"utf-8\"\n"
	"Dear all, please find below the minutes of our last meeting. As agreed, the new offices will be opened in the "
	"second week of May; the move itself is planned for the weekend before, so please have your boxes packed and "
	"labelled by Friday noon. Peter will send round the floor plan, and anybody who needs a desk near a window "
	"should tell him before Wednesday. The budget for the furniture was approved at 12,400.00 euros.\n"
	"> On Tue, 11 Apr 2023 at 09:30, Peter Lang wrote:\n"
	"> I have asked the carriers for an offer and expect their answer tomorrow. Is there anything else that has to "
	"be taken along, besides the two printers and the plants?\n"
	"The build of the release branch fails since yesterday with the following error, and I can not see why: "
	"src/lib/parser.c:214: error: 'struct token' has no member named 'length'; make: *** [Makefile:88: parser.o] "
	"Error 1. If nobody objects I will revert the change in question and we look at it again on Monday.\n"
	"Your parcel could not be delivered today. Please confirm your address and pay the remaining fee of 1.99 within "
	"the next 24 hours, otherwise the shipment will be returned to the sender: https://example.com/track?id=7731\n"
	"Dear customer, we noticed an unusual sign-in to your account and have limited access to it. To restore full "
	"access, verify your identity by clicking on the button below. Failure to do so will result in suspension.\n"
	"Save up to 70% on selected items! Free shipping on all orders this weekend only. Click here to unsubscribe, or "
	"write to: Example Store, 12 High Street, Springfield. This is not spam: you signed up on our web site.\n"
	"<table width=\"600\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" align=\"center\"><tr><td "
	"style=\"font-family:Arial,sans-serif;font-size:14px;color:#333333;padding:10px 20px\"><a href=\""
	"https://www.example.com/news/2023/04/?utm_source=mail&amp;utm_campaign=spring\">Read more</a></td></tr></table>\n"
	"VGhpcyBpcyBhIHRleHQgdGhhdCBsb29rcyBsaWtlIGFuIGVuY29kZWQgb25lLCBhcyBtYWlsIHdpdGggYXR0YWNobWVudHMgaG9sZHMg\n"
	"-- \nAnna Keller, Example Ltd., Tel. +49 30 901820, http://www.example.org/~keller\n";

struct slice rule_engine_sample(void)
{
	return slice_make(sample, sizeof(sample) - 1);
}
