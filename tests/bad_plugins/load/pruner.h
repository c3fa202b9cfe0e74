/* The well-formed part of the plugins of this folder, each of which breaks one rule. */
#ifndef ADZE_TESTS_PRUNER_H
#define ADZE_TESTS_PRUNER_H

#include <adze/pruner.h>
#include <adze/quantizer.h>

static adze_status do_nothing(void* self, adze_call* call) {
  (void)self;
  (void)call;
  return ADZE_OK;
}
static const adze_pruner pruner = {.struct_size = sizeof pruner, .prune = do_nothing};

#endif
