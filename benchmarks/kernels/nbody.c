/* The Sun and four planets, n steps of 0.01 days each; the checksum is the energy's bits. */
#include "kernel.h"

#define BODIES 5
#define SOLAR_MASS (4.0 * 3.141592653589793 * 3.141592653589793)
#define DAYS 365.24

struct body {
    double x, y, z, vx, vy, vz, mass;
};

static struct body bodies[BODIES];

static const struct body initial[BODIES] = {
    {0.0, 0.0, 0.0, 0.0, 0.0, 0.0, SOLAR_MASS},
    {4.84143144246472090, -1.16032004402742839, -0.103622044471123109, 0.00166007664274403694 * DAYS,
     0.00769901118419740425 * DAYS, -0.0000690460016972063023 * DAYS, 0.000954791938424326609 * SOLAR_MASS},
    {8.34336671824457987, 4.12479856412430479, -0.403523417114321381, -0.00276742510726411 * DAYS,
     0.00499852801234917238 * DAYS, 0.0000230417297573763929 * DAYS, 0.000285885980666130812 * SOLAR_MASS},
    {12.8943695621391310, -15.1111514016986312, -0.223307578892655734, 0.00296460137564761618 * DAYS,
     0.00237847173959480950 * DAYS, -0.0000296589568540237556 * DAYS, 0.0000436624404335156298 * SOLAR_MASS},
    {15.3796971148509165, -25.9193146099879641, 0.179258772950371181, 0.00268067772490389322 * DAYS,
     0.00162824170038242295 * DAYS, -0.0000951592254519715870 * DAYS, 0.0000515138902046611451 * SOLAR_MASS},
};

static void attract(struct body *a, struct body *b, double dt) {
    double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
    double squared = dx * dx + dy * dy + dz * dz;
    double strength = dt / (squared * __builtin_sqrt(squared));
    a->vx -= dx * b->mass * strength, b->vx += dx * a->mass * strength;
    a->vy -= dy * b->mass * strength, b->vy += dy * a->mass * strength;
    a->vz -= dz * b->mass * strength, b->vz += dz * a->mass * strength;
}

static void advance(double dt) {
    for (int32_t i = 0; i < BODIES; i++)
        for (int32_t j = i + 1; j < BODIES; j++) attract(&bodies[i], &bodies[j], dt);
    for (int32_t i = 0; i < BODIES; i++) {
        bodies[i].x += dt * bodies[i].vx;
        bodies[i].y += dt * bodies[i].vy;
        bodies[i].z += dt * bodies[i].vz;
    }
}

static double energy(void) {
    double sum = 0.0;
    for (int32_t i = 0; i < BODIES; i++) {
        struct body *a = &bodies[i];
        sum += 0.5 * a->mass * (a->vx * a->vx + a->vy * a->vy + a->vz * a->vz);
        for (int32_t j = i + 1; j < BODIES; j++) {
            struct body *b = &bodies[j];
            double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
            sum -= a->mass * b->mass / __builtin_sqrt(dx * dx + dy * dy + dz * dz);
        }
    }
    return sum;
}

int64_t run(int32_t n) {
    for (int32_t i = 0; i < BODIES; i++) bodies[i] = initial[i];
    for (int32_t i = 0; i < n; i++) advance(0.01);
    return bits_of(energy());
}
