// The device's error: what the last failure was about, and whether it is sticky.
#pragma once

#include "include/cuda_runtime_api.h"

#include <cstdarg>
#include <string>

namespace emulation {

// Notes an error that a call returns. Later calls work. printf's format.
cudaError_t report(cudaError_t error, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Notes an error after which the device is lost: every later call returns it until a reset. The first one stays.
void break_device(cudaError_t error, const std::string &message);

// The sticky error, or cudaSuccess.
cudaError_t sticky_error();

// The error that a call of the runtime returns; remembered for cudaGetLastError.
cudaError_t remembered(cudaError_t error);

const std::string &failure_message();
void forget_failures();

std::string formatted(const char *format, ...) __attribute__((format(printf, 1, 2)));
std::string formatted_list(const char *format, va_list arguments);

} // namespace emulation
