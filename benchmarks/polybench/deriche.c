/* Deriche's recursive edge filter over an image: along the rows in both directions, then along the columns. */
#define DATA float
#include <math.h>

#include "polybench.h"

#define W 720
#define H 480

static const float alpha = 0.25f;
static float (*in)[H], (*out)[H], (*forward)[H], (*backward)[H];

void init(void) {
    ROWS(in, W), ROWS(out, W), ROWS(forward, W), ROWS(backward, W);
    for (int i = 0; i < W; i++)
        for (int j = 0; j < H; j++)
            in[i][j] = (float)((313 * i + 991 * j) % 65536) / 65535.0f;
}

void kernel(void) {
    float e = expf(-alpha), k = (1 - e) * (1 - e) / (1 + 2 * alpha * e - expf(2 * alpha));
    float a1 = k, a2 = k * e * (alpha - 1), a3 = k * e * (alpha + 1), a4 = -k * expf(-2 * alpha);
    float b1 = powf(2, -alpha), b2 = -expf(-2 * alpha);
    for (int i = 0; i < W; i++) {
        float x1 = 0, y1 = 0, y2 = 0;
        for (int j = 0; j < H; j++) {
            forward[i][j] = a1 * in[i][j] + a2 * x1 + b1 * y1 + b2 * y2;
            x1 = in[i][j];
            y2 = y1;
            y1 = forward[i][j];
        }
    }
    for (int i = 0; i < W; i++) {
        float x1 = 0, x2 = 0, y1 = 0, y2 = 0;
        for (int j = H - 1; j >= 0; j--) {
            backward[i][j] = a3 * x1 + a4 * x2 + b1 * y1 + b2 * y2;
            x2 = x1;
            x1 = in[i][j];
            y2 = y1;
            y1 = backward[i][j];
        }
    }
    for (int i = 0; i < W; i++)
        for (int j = 0; j < H; j++)
            out[i][j] = forward[i][j] + backward[i][j];
    for (int j = 0; j < H; j++) {
        float x1 = 0, y1 = 0, y2 = 0;
        for (int i = 0; i < W; i++) {
            forward[i][j] = a1 * out[i][j] + a2 * x1 + b1 * y1 + b2 * y2;
            x1 = out[i][j];
            y2 = y1;
            y1 = forward[i][j];
        }
    }
    for (int j = 0; j < H; j++) {
        float x1 = 0, x2 = 0, y1 = 0, y2 = 0;
        for (int i = W - 1; i >= 0; i--) {
            backward[i][j] = a3 * x1 + a4 * x2 + b1 * y1 + b2 * y2;
            x2 = x1;
            x1 = out[i][j];
            y2 = y1;
            y1 = backward[i][j];
        }
    }
    for (int i = 0; i < W; i++)
        for (int j = 0; j < H; j++)
            out[i][j] = forward[i][j] + backward[i][j];
}

double checksum(void) {
    return FOLD(out, W);
}
