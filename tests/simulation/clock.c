/* The wall clock of a Redis in the simulation, preloaded into it: microseconds since 1970, read from a file that the simulation maps.
   Time that only grows (CLOCK_MONOTONIC) stays the machine's: by it Redis measures its own work alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static volatile long long *clock_us;
static int (*real_clock_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void map_clock(void) {
    real_clock_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    const char *path = getenv("SIMULATED_CLOCK");
    int file = path ? open(path, O_RDONLY) : -1;
    if (file < 0) abort();
    clock_us = mmap(NULL, sizeof *clock_us, PROT_READ, MAP_SHARED, file, 0);
    if (clock_us == MAP_FAILED) abort();
}

int clock_gettime(clockid_t id, struct timespec *now) {
    if (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE) return real_clock_gettime(id, now);
    now->tv_sec = *clock_us / 1000000;
    now->tv_nsec = *clock_us % 1000000 * 1000;
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    now->tv_sec = *clock_us / 1000000;
    now->tv_usec = *clock_us % 1000000;
    return 0;
}

time_t time(time_t *now) {
    time_t seconds = *clock_us / 1000000;
    if (now) *now = seconds;
    return seconds;
}
