/* Table-driven CRC-32 (IEEE) of 64 KiB, n times, each CRC changing the next message. */
#include "kernel.h"

#define LENGTH 65536

static uint32_t table[256];
static uint8_t message[LENGTH];

static void make_table(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t remainder = byte;
        for (int32_t bit = 0; bit < 8; bit++) remainder = remainder >> 1 ^ (remainder & 1 ? 0xEDB88320u : 0);
        table[byte] = remainder;
    }
}

static uint32_t crc32(void) {
    uint32_t crc = 0xFFFFFFFFu;
    for (int32_t i = 0; i < LENGTH; i++) crc = crc >> 8 ^ table[(crc ^ message[i]) & 0xFF];
    return ~crc;
}

int64_t run(int32_t n) {
    uint32_t crc = 0;
    make_table();
    for (int32_t i = 0; i < LENGTH; i++) message[i] = (uint8_t)(i * 13 + (i >> 7));
    for (int32_t i = 0; i < n; i++) {
        crc = crc32();
        message[crc % LENGTH] += (uint8_t)(crc >> 16 | 1);
    }
    return crc;
}
