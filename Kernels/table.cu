// The library's one exported symbol: the table of its functions, each of which ends in a status.
#include "operations.h"

#include <cstdio>
#include <new>

namespace straightedge {
namespace {

thread_local std::string lastFailure;

std::int32_t fail(ck_status status, const std::string &text) noexcept {
    try {
        lastFailure = text;
    } catch (...) {
        lastFailure.clear();
    }
    return status;
}

// Runs `body`, and turns what it throws into a status.
template <typename Body> std::int32_t guarded(Body &&body) noexcept {
    try {
        body();
        return CK_OK;
    } catch (const Failure &failure) {
        return fail(failure.status, failure.text);
    } catch (const std::bad_alloc &) {
        return fail(CK_OUT_OF_MEMORY, "the host has no memory left");
    } catch (...) {
        return fail(CK_DEVICE_FAILED, "an unknown failure");
    }
}

template <auto function> struct Entry;

// An operation as the table has it: on a context that works, one at a time but for what waits.
template <typename Target, typename... Arguments, void (*operation)(Target &, Arguments...)> struct Entry<operation> {
    static std::int32_t call(ck_context *context, Arguments... arguments) {
        return guarded([&] {
            const std::lock_guard<std::mutex> lock(context->enqueueing);
            if (!context->lostBecause.empty()) throw Failure{CK_DEVICE_FAILED, context->lostBecause};
            try {
                CHECK(cudaSetDevice(context->device));
                operation(*context, arguments...);
            } catch (const Failure &failure) {
                if (failure.status == CK_DEVICE_FAILED) context->lostBecause = failure.text;
                throw;
            }
        });
    }
};

// Tells a driver that is not there from one that is too old: the runtime has one error for both.
void check_driver() {
    int driver = 0, runtime = 0;
    CHECK(cudaDriverGetVersion(&driver));
    CHECK(cudaRuntimeGetVersion(&runtime));
    if (driver >= runtime / 1000 * 1000) return;
    const auto version = [](int number) {
        return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
    };
    throw Failure{CK_UNAVAILABLE, driver == 0 ? "no NVIDIA driver is loaded"
                                              : "the driver is made for CUDA " + version(driver) +
                                                    ", and this kernel library needs " + version(runtime) +
                                                    ": install a newer driver"};
}

std::int32_t device_count(std::int32_t *count) {
    *count = 0;
    return guarded([&] {
        check_driver();
        int found = 0;
        CHECK(cudaGetDeviceCount(&found));
        *count = found;
    });
}

std::int32_t device_info(std::int32_t device, ck_device_info *info) {
    return guarded([&] {
        *info = {};
        cudaDeviceProp properties{};
        CHECK(cudaGetDeviceProperties(&properties, device));
        std::snprintf(info->name, sizeof info->name, "%s", properties.name);
        info->compute_major = properties.major;
        info->compute_minor = properties.minor;
        info->multiprocessor_count = properties.multiProcessorCount;
        info->memory_byte_count = static_cast<std::int64_t>(properties.totalGlobalMem);
        CHECK(cudaDriverGetVersion(&info->driver_version));
        CHECK(cudaRuntimeGetVersion(&info->runtime_version));
        info->cublas_version = static_cast<std::int32_t>(cublasLtGetVersion());
        CHECK(cusolverGetVersion(&info->cusolver_version));
    });
}

std::int32_t create_context(std::int32_t device, ck_context **context) {
    *context = nullptr;
    return guarded([&] { *context = new ck_context(device); });
}

void destroy_context(ck_context *context) { delete context; }

// Also where the device has failed: what a library refused leaves memory that can be given back.
void release(ck_context *context, std::uint64_t address) {
    const std::lock_guard<std::mutex> lock(context->enqueueing);
    (void)cudaSetDevice(context->device);
    (void)cudaFreeAsync(reinterpret_cast<void *>(address), context->stream);
}

// The system takes its time, and may wait for the device.
void release_host(ck_context *context, void *address) {
    const std::lock_guard<std::mutex> lock(context->enqueueing);
    (void)cudaSetDevice(context->device);
    context->pinned.erase(reinterpret_cast<std::uintptr_t>(address));
    const Waiting waiting(*context);
    (void)cudaFreeHost(address);
}

void release_transferred(ck_context *context, std::int64_t ticket, std::uint64_t address) {
    const std::lock_guard<std::mutex> lock(context->enqueueing);
    (void)cudaSetDevice(context->device);
    release_of_transfer(*context, ticket, address);
}

void end(ck_context *context, std::int64_t ticket) {
    const std::lock_guard<std::mutex> lock(context->enqueueing);
    (void)cudaSetDevice(context->device);
    end_transfer(*context, ticket);
}

void describe_error(char *text, std::int64_t size) {
    if (size <= 0) return;
    std::snprintf(text, static_cast<std::size_t>(size), "%s", lastFailure.c_str());
}

ck_api make_table() {
    ck_api api{};
    api.abi_version = CK_ABI_VERSION;
    api.struct_size = sizeof api;
    api.device_count = device_count;
    api.device_info = device_info;
    api.create_context = create_context;
    api.destroy_context = destroy_context;
    api.describe_error = describe_error;
    api.synchronize = Entry<synchronize>::call;
    api.allocate = Entry<allocate>::call;
    api.release = release;
    api.memory_info = Entry<memory_info>::call;
    api.allocate_host = Entry<allocate_host>::call;
    api.release_host = release_host;
    api.write = Entry<write>::call;
    api.read = Entry<read>::call;
    api.copy = Entry<copy>::call;
    api.fill_zero = Entry<fill_zero>::call;
    api.decode = Entry<decode>::call;
    api.normalize = Entry<normalize>::call;
    api.product = Entry<product>::call;
    api.add_bias = Entry<add_bias>::call;
    api.rotate = Entry<rotate>::call;
    api.attention = Entry<attention>::call;
    api.activate = Entry<activate>::call;
    api.scale_elements = Entry<scale_elements>::call;
    api.convert = Entry<convert>::call;
    api.clamp = Entry<clamp>::call;
    api.soft_cap = Entry<soft_cap>::call;
    api.add = Entry<add>::call;
    api.subtract = Entry<subtract>::call;
    api.token_scores = Entry<token_scores>::call;
    api.first_non_finite_row = Entry<first_non_finite_row>::call;
    api.begin_transfer = Entry<begin_transfer>::call;
    api.allocate_for_transfer = Entry<allocate_for_transfer>::call;
    api.decode_for_transfer = Entry<decode_for_transfer>::call;
    api.finish_transfer = Entry<finish_transfer>::call;
    api.wait_for_transfer = Entry<wait_for_transfer>::call;
    api.non_finite_rows_of_transfer = Entry<non_finite_rows_of_transfer>::call;
    api.release_of_transfer = release_transferred;
    api.end_transfer = end;
    api.gather_panels = Entry<gather_panels>::call;
    api.add_cross_products = Entry<add_cross_products>::call;
    api.row_statistics = Entry<row_statistics>::call;
    api.row_products = Entry<row_products>::call;
    api.squared_distances = Entry<squared_distances>::call;
    api.prediction_errors = Entry<prediction_errors>::call;
    api.add_outer_product = Entry<add_outer_product>::call;
    api.scale = Entry<scale>::call;
    api.diagonal = Entry<diagonal>::call;
    api.fill_diagonal = Entry<fill_diagonal>::call;
    api.mirror_upper_triangle = Entry<mirror_upper_triangle>::call;
    api.inner_product = Entry<inner_product>::call;
    api.add_scaled = Entry<add_scaled>::call;
    api.transpose = Entry<transpose>::call;
    api.cholesky_factor = Entry<cholesky_factor>::call;
    api.update_triangular_factor = Entry<update_triangular_factor>::call;
    api.solve_triangular = Entry<solve_triangular>::call;
    api.symmetric_eigen = Entry<symmetric_eigen>::call;
    api.singular_decomposition = Entry<singular_decomposition>::call;
    api.symmetric_product = Entry<symmetric_product>::call;
    api.token_divergences = Entry<token_divergences>::call;
    api.softmax = Entry<softmax>::call;
    return api;
}

} // namespace
} // namespace straightedge

extern "C" __attribute__((visibility("default"))) const ck_api *ck_get_api(std::int32_t abiVersion) {
    static const ck_api api = straightedge::make_table();
    return abiVersion == CK_ABI_VERSION ? &api : nullptr;
}
