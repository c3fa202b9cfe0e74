/* L: files that do not load as they should. FAULT_L01 is no library at all: see CMakeLists.txt. */
#define _GNU_SOURCE
#include <stdio.h>
#include <unistd.h>

#include "plugin.h"

static const adze_pruner pruner = {.struct_size = sizeof pruner, .prune = prune_half};
COMPONENT(.pruner = &pruner);
DESCRIPTOR;

#if defined FAULT_L02 /* exports no entry */
int not_an_entry(void);
int not_an_entry(void) { return (int)plugin.struct_size; }
#else
#if defined FAULT_L03   /* linked without the version script: everyone sees `helper` */
__attribute__((visibility("default"))) int helper(void);
int helper(void) { return 1; }
#elif defined FAULT_L05 /* calls what nobody has: found when loading, not when calling */
extern int function_that_nobody_has(void);
#elif defined FAULT_L09 /* what ThreadSanitizer leaves in a file */
extern void __tsan_init(void) __attribute__((weak));
#elif defined FAULT_L10 /* works when it is loaded */
static volatile int prepared;
__attribute__((constructor)) static void prepare(void) { prepared = 1; }
#endif

const adze_plugin* adze_plugin_v1(void) {
#if defined FAULT_L04
  return NULL;
#elif defined FAULT_L05
  if (function_that_nobody_has()) return NULL;
#elif defined FAULT_L06
  static int awake;
  if (!awake) usleep(250 * 1000);
  awake = 1;
#elif defined FAULT_L07
  static adze_plugin copy;
  static int calls;
  copy = plugin;
  if (calls++ % 2) return &copy;
#elif defined FAULT_L08
  static int greeted;
  if (!greeted) printf("thank you for loading me\n");
  greeted = 1;
#elif defined FAULT_L08_process /* which leaves its session, too */
  static int started;
  if (!started && fork() == 0) {
    setsid();
    if (fork() == 0)
      for (;;) pause();
    _exit(0);
  }
  started = 1;
#elif defined FAULT_L09
  if (__tsan_init) __tsan_init();
#endif
  return &plugin;
}
#endif
