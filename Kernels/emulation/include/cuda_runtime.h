// The stand-in for NVIDIA's cuda_runtime.h: what nvcc knows by itself, then the runtime, then device functions.
#pragma once

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(byteCount) __attribute__((aligned(byteCount)))
// A block stays on one OS thread, and an OS thread runs one block at a time: what is the thread's own is the block's
// own.
#define __shared__ static thread_local

#include "cuda_runtime_api.h"
#include "device_functions.h"
