/* Boyer-Moore-Horspool search for a 6-letter word in a 256 KiB text, n times with changing words. */
#include "kernel.h"

#define LENGTH (256 * 1024)
#define WORD 6

static uint8_t text[LENGTH], word[WORD];
static int32_t skip[256];

static void prepare(void) {
    for (int32_t i = 0; i < 256; i++) skip[i] = WORD;
    for (int32_t i = 0; i < WORD - 1; i++) skip[word[i]] = WORD - 1 - i;
}

static int32_t matches(int32_t at) {
    int32_t i = WORD - 1;
    while (i >= 0 && text[at + i] == word[i]) i--;
    return i < 0;
}

static int64_t positions(void) {
    int64_t sum = 0;
    for (int32_t at = 0; at <= LENGTH - WORD; at += skip[text[at + WORD - 1]]) sum += matches(at) ? at : 0;
    return sum;
}

int64_t run(int32_t n) {
    int64_t checksum = 0;
    uint32_t state = 9;
    for (int32_t i = 0; i < LENGTH; i++) text[i] = 'a' + lcg(&state) / 65536 % 5;
    for (int32_t i = 0; i < n; i++) {
        int32_t from = (int32_t)(lcg(&state) % (LENGTH - WORD));
        for (int32_t j = 0; j < WORD; j++) word[j] = text[from + j];
        prepare();
        checksum = mix(checksum, positions());
    }
    return checksum;
}
