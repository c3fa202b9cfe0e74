/* Its entry function ends the process, or what the process lives by, in the way that FAULT names.
 */
#include <adze/plugin.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_OF(name) #name
#define TEXT(name) TEXT_OF(name)

const adze_plugin* adze_plugin_v1(void) {
  const char* fault = TEXT(FAULT);
  if (strcmp(fault, "abort") == 0) abort();
  if (strcmp(fault, "exit") == 0) exit(0);
  if (strcmp(fault, "crash") == 0) *(volatile int*)64 = 1;
  for (int fd = 0; fd <= 100; ++fd) close(fd);
  while (strcmp(fault, "wait") == 0) pause();
  return NULL;
}
