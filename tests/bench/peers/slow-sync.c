/* Makes each wait for the disk longer by SLOW_SYNC_MS milliseconds, as a slow disk would: without a cost in CPU. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static int delayed(const char *name, int file) {
  const char *setting = getenv("SLOW_SYNC_MS");
  long ms = setting ? atol(setting) : 0;
  struct timespec delay = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&delay, NULL);
  int (*sync)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  return sync(file);
}

int fsync(int file) { return delayed("fsync", file); }
int fdatasync(int file) { return delayed("fdatasync", file); }
