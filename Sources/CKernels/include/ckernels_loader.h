// Opens kernel libraries, and the libraries that they need.
#ifndef STRAIGHTEDGE_CKERNELS_LOADER_H
#define STRAIGHTEDGE_CKERNELS_LOADER_H

#include "ckernels.h"
#include "ckernels_emulation.h"

// Opens the library at `path` and asks it for its table; null where that fails, with the reason in `message`. What is opened
// stays open: CUDA's libraries do not stand being closed.
const ck_api *CK_NULLABLE ck_open_library(const char *CK_NONNULL path, char *CK_NONNULL message, int64_t size);

// Opens a library for others that name it as theirs; 0, or 1 with the reason in `message`.
int32_t ck_preload(const char *CK_NONNULL path, char *CK_NONNULL message, int64_t size);

// The controls of the emulated library at `path`, which is open already; null where it has none.
const emulation_api *CK_NULLABLE ck_emulation(const char *CK_NONNULL path);

#endif
