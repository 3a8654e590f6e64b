#include "failure.h"

#include <cstdio>
#include <vector>

namespace emulation {

namespace {
cudaError_t sticky = cudaSuccess;
cudaError_t last = cudaSuccess;
auto &message = *new std::string; // never destroyed: see lock_device
} // namespace

std::string formatted_list(const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    const int length = std::vsnprintf(nullptr, 0, format, arguments);
    std::vector<char> text(length > 0 ? std::size_t(length) + 1 : 1);
    std::vsnprintf(text.data(), text.size(), format, again);
    va_end(again);
    return text.data();
}

std::string formatted(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    std::string text = formatted_list(format, arguments);
    va_end(arguments);
    return text;
}

cudaError_t report(cudaError_t error, const char *format, ...) {
    if (sticky != cudaSuccess) return sticky; // whose message stays
    va_list arguments;
    va_start(arguments, format);
    message = formatted_list(format, arguments);
    va_end(arguments);
    return error;
}

void break_device(cudaError_t error, const std::string &text) {
    if (sticky != cudaSuccess) return;
    sticky = error;
    message = text;
}

cudaError_t sticky_error() { return sticky; }

cudaError_t remembered(cudaError_t error) {
    if (sticky != cudaSuccess) error = sticky;
    // cudaErrorNotReady is an answer, not an error.
    if (error != cudaSuccess && error != cudaErrorNotReady) last = error;
    return error;
}

const std::string &failure_message() { return message; }

void forget_failures() {
    sticky = last = cudaSuccess;
    message.clear();
}

namespace {
const char *name_of(cudaError_t error) {
    switch (error) {
#define NAME(error)                                                                                                    \
    case error:                                                                                                        \
        return #error;
        NAME(cudaSuccess)
        NAME(cudaErrorInvalidValue)
        NAME(cudaErrorMemoryAllocation)
        NAME(cudaErrorInitializationError)
        NAME(cudaErrorInvalidConfiguration)
        NAME(cudaErrorInvalidPitchValue)
        NAME(cudaErrorInvalidDevicePointer)
        NAME(cudaErrorInvalidMemcpyDirection)
        NAME(cudaErrorInsufficientDriver)
        NAME(cudaErrorInvalidDeviceFunction)
        NAME(cudaErrorNoDevice)
        NAME(cudaErrorNoKernelImageForDevice)
        NAME(cudaErrorInvalidDevice)
        NAME(cudaErrorInvalidResourceHandle)
        NAME(cudaErrorNotReady)
        NAME(cudaErrorIllegalAddress)
        NAME(cudaErrorLaunchOutOfResources)
        NAME(cudaErrorMisalignedAddress)
        NAME(cudaErrorLaunchFailure)
        NAME(cudaErrorNotPermitted)
        NAME(cudaErrorNotSupported)
        NAME(cudaErrorUnknown)
#undef NAME
    }
    return "unrecognized error code";
}
} // namespace

} // namespace emulation

cudaError_t cudaGetLastError() {
    const cudaError_t error = emulation::remembered(emulation::last);
    emulation::last = cudaSuccess; // a sticky error comes back all the same
    return error;
}

cudaError_t cudaPeekAtLastError() { return emulation::remembered(emulation::last); }

const char *cudaGetErrorName(cudaError_t error) { return emulation::name_of(error); }

// The words of the last failure where they belong to `error`: the emulation knows more than a device does.
const char *cudaGetErrorString(cudaError_t error) {
    const bool isLast = error != cudaSuccess && (error == emulation::sticky || error == emulation::last);
    return isLast && !emulation::message.empty() ? emulation::message.c_str() : emulation::name_of(error);
}
