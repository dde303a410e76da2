/* For an ATmega328P, freestanding: the first prime numbers, sent through its serial port. */
typedef unsigned char byte;
#define UCSR0A (*(volatile byte *)0xC0)
#define UDR0 (*(volatile byte *)0xC6)

struct sieve { unsigned limit; byte composite[64]; };

static void send(byte c) {
    while (!(UCSR0A & 0x20)) {}
    UDR0 = c;
}

static void send_number(unsigned long n) {
    if (n >= 10) send_number(n / 10);
    send((byte)('0' + n % 10));
}

static unsigned next(struct sieve *s, unsigned n) {
    do n++; while (n < s->limit && s->composite[n >> 3] & (1 << (n & 7)));
    return n;
}

int main(void) {
    struct sieve s = { 512, { 0 } };
    unsigned long sum = 0;
    for (unsigned n = 2; n < s.limit; n = next(&s, n)) {
        for (unsigned m = n * n; m < s.limit && n < 23; m += n) s.composite[m >> 3] |= 1 << (m & 7);
        send_number(n);
        send(' ');
        sum += 1000000 / n;
    }
    send_number(sum);
    return 0;
}
