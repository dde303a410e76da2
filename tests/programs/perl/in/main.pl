use strict;
use warnings;
use List::Util qw(sum reduce);

# Words and their neighbours; closures, sorting, regular expressions, sprintf, local, die and eval.
open(my $text, '<', '/text.txt') or die "cannot read: $!";
my (%count, %next);
while (my $line = <$text>) {
    my @words = map { lc } $line =~ /\b([A-Za-z']+)\b/g;
    $count{$_}++ for @words;
    push @{ $next{$words[$_]} }, $words[$_ + 1] for 0 .. $#words - 1;
}
close $text;
printf "%-8s%3d\n", $_, $count{$_} for (sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count)[0 .. 4];
my $longest = reduce { length($a) >= length($b) ? $a : $b } sort keys %count;
print "$longest ", scalar(@{ $next{the} }), " ", join(',', sort @{ $next{the} }), "\n";

my @memo = (0, 1);
my $fibonacci; $fibonacci = sub { my $n = shift; $memo[$n] //= $fibonacci->($n - 1) + $fibonacci->($n - 2) };
print $fibonacci->(70), " ", sum(map { $_ ** 2 } 1 .. 100), "\n";
for my $action (sub { die { code => 42 } }, sub { 1 / 0 }, sub { "fine" }) {
    my $result = eval { $action->() };
    print ref $@ ? "code $@->{code}" : $@ =~ /zero/ ? "division" : $result, "\n";
}
(my $swapped = "first second") =~ s/(?<a>\w+) (?<b>\w+)/$+{b} $+{a}/;
open(my $out, '>', '/out.txt') or die "cannot write: $!";
print $out $swapped, "\n", join(' ', map { sprintf '%.6f', sin $_ } 1 .. 3), "\n";
close $out;
