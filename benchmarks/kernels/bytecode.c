/* A stack machine with a `switch` (br_table) per instruction; its program adds up gcd(i, j) for i, j < n. */
#include "kernel.h"

enum { HALT, PUSH, LOAD, STORE, ADD, SUB, MUL, REM, XOR, LESS, EQUAL, DUP, SWAP, DROP, JUMP, JUMP_IF_ZERO };
enum { I, J, A, B, SUM, LIMIT, VARIABLES };

static const int32_t program[] = {
    /*  0 i = 1         */ PUSH, 1, STORE, I,
    /*  4 while i < n   */ LOAD, I, LOAD, LIMIT, LESS, JUMP_IF_ZERO, 78,
    /* 11   j = 1       */ PUSH, 1, STORE, J,
    /* 15   while j < n */ LOAD, J, LOAD, LIMIT, LESS, JUMP_IF_ZERO, 69,
    /* 22     a, b = i, j          */ LOAD, I, STORE, A, LOAD, J, STORE, B,
    /* 30     while b              */ LOAD, B, JUMP_IF_ZERO, 47,
    /* 34       a, b = b, a % b    */ LOAD, A, LOAD, B, REM, LOAD, B, STORE, A, STORE, B, JUMP, 30,
    /* 47     sum = sum * 3 ^ a    */ LOAD, SUM, PUSH, 3, MUL, LOAD, A, PUSH, 7, ADD, XOR, STORE, SUM,
    /* 60     j += 1    */ LOAD, J, PUSH, 1, ADD, STORE, J, JUMP, 15,
    /* 69   i += 1      */ LOAD, I, PUSH, 1, ADD, STORE, I, JUMP, 4,
    /* 78 */ HALT,
};

static NOINLINE void execute(const int32_t *code, uint32_t *variables) {
    uint32_t stack[16], *top = stack, other;
    const int32_t *pc = code;
    for (;;) {
        switch (*pc++) {
        case HALT: return;
        case PUSH: *++top = (uint32_t)*pc++; break;
        case LOAD: *++top = variables[*pc++]; break;
        case STORE: variables[*pc++] = *top--; break;
        case ADD: top--, top[0] += top[1]; break;
        case SUB: top--, top[0] -= top[1]; break;
        case MUL: top--, top[0] *= top[1]; break;
        case REM: top--, top[0] %= top[1]; break;
        case XOR: top--, top[0] ^= top[1]; break;
        case LESS: top--, top[0] = top[0] < top[1]; break;
        case EQUAL: top--, top[0] = top[0] == top[1]; break;
        case DUP: top++, top[0] = top[-1]; break;
        case SWAP: other = top[0], top[0] = top[-1], top[-1] = other; break;
        case DROP: top--; break;
        case JUMP: pc = code + *pc; break;
        case JUMP_IF_ZERO: pc = *top-- ? pc + 1 : code + *pc; break;
        }
    }
}

int64_t run(int32_t n) {
    uint32_t variables[VARIABLES] = {[LIMIT] = (uint32_t)n};
    execute(program, variables);
    return variables[SUM];
}
