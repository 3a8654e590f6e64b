# The kernels on the CPU: the emulated device, the library with every kernel, and the tests of the emulation.
find_package(Threads REQUIRED)
find_package(Boost 1.74 REQUIRED COMPONENTS context)
# Not FindBLAS: it may settle for another library, and LAPACK's routines are needed from the same one.
find_library(OPENBLAS_LIBRARY openblas REQUIRED)

# Debug information is small enough to keep; the symbol table is needed, to name kernels and their shared memory.
add_compile_options(-Wall -Wextra -Werror -Wno-unknown-pragmas -ffp-contract=off)

# nvcc's sources are C++ here.
set_source_files_properties(${kernel_sources} ${test_sources} PROPERTIES LANGUAGE CXX)

file(GLOB emulation_sources CONFIGURE_DEPENDS Kernels/emulation/*.cpp)
add_library(emulation OBJECT ${emulation_sources})
target_compile_definitions(emulation PUBLIC STRAIGHTEDGE_EMULATION)
# Ahead of any CUDA toolkit on the system's path.
target_include_directories(emulation BEFORE PUBLIC Kernels/emulation/include Kernels Sources/CKernels/include)
target_link_libraries(emulation PUBLIC Boost::context Threads::Threads ${OPENBLAS_LIBRARY})

add_library(kernels OBJECT ${kernel_sources})
target_link_libraries(kernels PUBLIC emulation)
if(kernel_sources)
    add_library(straightedge-kernels-emulated SHARED)
    # Its threads live as long as the process, and so must its code.
    target_link_options(straightedge-kernels-emulated PRIVATE -Wl,-z,nodelete -Wl,-z,defs
                        -Wl,--version-script=${PROJECT_SOURCE_DIR}/Kernels/exports.map)
    set_target_properties(straightedge-kernels-emulated PROPERTIES LINK_DEPENDS ${PROJECT_SOURCE_DIR}/Kernels/exports.map)
    target_link_libraries(straightedge-kernels-emulated PRIVATE kernels emulation)
endif()

enable_testing()
add_executable(emulation-tests ${test_sources})
target_link_libraries(emulation-tests PRIVATE kernels emulation)
add_test(NAME emulation COMMAND emulation-tests)
