/* The control panel of the emulated device: what it hunts, what it lets fail, what it counted.
 *
 * Read by C, C++ and Swift. The emulated kernel library exports one function of this header, emulation_get_api; all
 * else is reached through the table that it returns. */
#ifndef STRAIGHTEDGE_EMULATION_H
#define STRAIGHTEDGE_EMULATION_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EMULATION_ABI_VERSION 1

/* The order in which lanes of a warp, warps of a block, blocks of a grid, and streams get their turn. A right program
 * gives equal bits in every order. */
typedef enum emulation_order {
    EMULATION_ORDER_ASCENDING = 0,  /* lanes by number; work of streams as it was enqueued */
    EMULATION_ORDER_DESCENDING = 1, /* lanes from the last; the stream created last runs as far as it may */
    EMULATION_ORDER_SEEDED = 2,     /* drawn anew at every turn from `seed` */
} emulation_order;

/* All zero is a plain device of 2 GiB on which nothing fails. Numbers of failures count from 1 since the last
 * configure or reset; 0 lets none fail. */
typedef struct emulation_options {
    uint64_t struct_size; /* sizeof(emulation_options) */
    uint64_t seed;
    int32_t lane_order;                /* emulation_order */
    int32_t stream_order;              /* emulation_order */
    int32_t worker_count;              /* threads that run blocks; 0: one per core, at most 4; 1 repeats exactly */
    int32_t leaves_memory_open;        /* 1: the host may touch device memory (for debuggers) */
    uint64_t device_memory_byte_count; /* 0: 2 GiB */
    uint64_t guard_byte_count;         /* each side of an allocation; 0: 512; rounded up to 256 */
    uint64_t failing_allocation;       /* device allocation that fails: cudaErrorMemoryAllocation */
    uint64_t failing_host_allocation;  /* pinned allocation that fails: cudaErrorMemoryAllocation */
    uint64_t failing_launch;           /* kernel launch that fails when it runs: cudaErrorLaunchFailure, sticky */
    uint64_t failing_synchronization;  /* synchronization that fails: cudaErrorLaunchFailure, sticky */
    uint64_t failing_library_call;     /* cuBLAS or cuSOLVER call that fails: ..._STATUS_EXECUTION_FAILED */
} emulation_options;

typedef struct emulation_counters {
    uint64_t struct_size; /* sizeof(emulation_counters), set by the caller */
    uint64_t allocation_count;
    uint64_t live_allocation_count;
    uint64_t live_byte_count;
    uint64_t peak_byte_count;
    uint64_t host_allocation_count;
    uint64_t live_host_allocation_count;
    uint64_t live_host_byte_count;
    uint64_t launch_count;
    uint64_t library_call_count;
    uint64_t synchronization_count;
    uint64_t pending_operation_count;
} emulation_counters;

typedef struct emulation_api {
    uint32_t abi_version;
    uint32_t struct_size;
    /* Takes effect at once; work enqueued before runs first. Returns 0, or 1 where an option has no meaning (message()
     * says which). */
    int32_t (*configure)(const emulation_options *options);
    /* Throws pending work, streams, events and every allocation away, forgets errors and failures to come, and counts
     * from 0. Options of order and memory stay. */
    void (*reset)(void);
    void (*read_counters)(emulation_counters *counters);
    /* What the last error was about, in words; empty where there was none. Valid until the next error. */
    const char *(*message)(void);
    /* `body` is called with `context` whenever the host is about to wait for the device, by the thread that will wait,
     * which holds no lock of the emulation. Null ends it. */
    void (*on_host_wait)(void (*body)(void *context), void *context);
} emulation_api;

/* Null where `abi_version` is not EMULATION_ABI_VERSION. */
const emulation_api *emulation_get_api(uint32_t abi_version);

#ifdef __cplusplus
}
#endif

#endif
