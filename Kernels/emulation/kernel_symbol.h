// What the symbol table of the kernels' own file says about a kernel: its name and its static shared memory.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace emulation {

struct SharedArray {
    std::size_t offset; // in the file's thread-local storage
    std::size_t byteCount;
};

struct KernelSymbol {
    std::string name;                      // as in the source; an address where the file is stripped
    std::vector<SharedArray> sharedArrays; // the kernel's own __shared__ variables, not those of functions it calls
    std::size_t sharedByteCount = 0;
};

// Looked up once for each kernel.
const KernelSymbol &kernel_symbol(const void *kernel);

// The calling thread's thread-local storage of the file that holds the kernels, where every __shared__ array lies.
// Null before the thread first touched a variable of its own there.
struct SharedSegment {
    char *address = nullptr;
    std::size_t byteCount = 0;
};
SharedSegment shared_segment();

} // namespace emulation
