#!/usr/bin/perl
# sa_hits.pl RULES [MORE_RULES] < list of files: what SpamAssassin finds in each, local tests only,
# as "file<TAB>RULE=n RULE=n ..." a line, sub-rules too.
use strict;
use warnings;
use Mail::SpamAssassin;

my $rules = shift or die "usage: sa_hits.pl RULES [MORE_RULES] < files\n";
my $more = '';
if (my $path = shift) {
	open(my $in, '<', $path) or die "$path: $!\n";
	local $/;
	$more = <$in>;
}
my $sa = Mail::SpamAssassin->new({
	rules_filename => $rules,
	site_rules_filename => '/etc/spamassassin',
	userprefs_filename => '/dev/null',
	dont_copy_prefs => 1,
	local_tests_only => 1,
	home_dir_for_helpers => $ENV{SA_HOME} || '/nonexistent',
	userstate_dir => $ENV{SA_HOME} || '/nonexistent',
	post_config_text => "use_bayes 0\nuse_auto_welcomelist 0\ntrusted_networks 127.0.0.0/8\n" .
		"internal_networks 127.0.0.0/8\ntime_limit 60\n$more",
});
$sa->init(0);
$| = 1;
while (my $file = <STDIN>) {
	chomp $file;
	open(my $in, '<:raw', $file) or die "$file: $!\n";
	my $text = do { local $/; <$in> };
	close $in;
	my $mail = $sa->parse($text, 1);
	my $status = $sa->check($mail);
	my $hit = $status->{tests_already_hit};
	print $file, "\t", join(' ', map { "$_=$hit->{$_}" } sort grep { $hit->{$_} } keys %$hit), "\n";
	$status->finish();
	$mail->finish();
}
