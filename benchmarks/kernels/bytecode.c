/* A stack machine with a `switch` (br_table) per instruction: sums of gcd(i, j) for i, j up to n. */
#include "kernel.h"

enum {
    HALT, PUSH, LOAD, STORE, ADD, SUB, MUL, REM, LESS, EQUAL, NOT, DUP, SWAP, DROP, JUMP, JUMP_IF_ZERO,
};

enum { I, J, A, B, SUM, LIMIT, VARIABLES };

/* for (i = 1; i < limit; i++) for (j = 1; j < limit; j++) { a = i; b = j; gcd; sum = sum * 3 + a % 7; } */
static const int32_t program[] = {
    /*  0 */ PUSH, 1, STORE, I,
    /*  4 */ LOAD, I, LOAD, LIMIT, LESS, JUMP_IF_ZERO, 72,
    /* 11 */ PUSH, 1, STORE, J,
    /* 15 */ LOAD, J, LOAD, LIMIT, LESS, JUMP_IF_ZERO, 63,
    /* 22 */ LOAD, I, STORE, A, LOAD, J, STORE, B,
    /* 30 */ LOAD, B, JUMP_IF_ZERO, 45,
    /* 34 */ LOAD, B, LOAD, A, LOAD, B, REM, STORE, B, STORE, A,
    /* 45 */ LOAD, B, NOT, JUMP_IF_ZERO, 30,
    /* 50 */ LOAD, SUM, DUP, DUP, ADD, ADD, LOAD, A, PUSH, 7, REM, ADD, JUMP, 73,
    /* 64 */ 0, 0, 0, 0, 0, 0, 0, 0, 0,
};
