# The kernels on a GPU: nvcc with g++ as host compiler, cudart linked in, cuBLAS and cuSOLVER beside it.
#
# The toolkit is looked for in STRAIGHTEDGE_CUDA_ROOT (a variable of CMake or of the environment), on the PATH, in
# /usr/local/cuda, and in the nvidia/cu13 folder of a Python environment (pip's cuda-toolkit).
option(STRAIGHTEDGE_KERNEL_CHECK "Also compile the emulation's tests, without running them" OFF)

set(STRAIGHTEDGE_CUDA_ROOT "$ENV{STRAIGHTEDGE_CUDA_ROOT}" CACHE PATH "A CUDA toolkit, or the nvidia/cu13 folder of pip's")
file(GLOB python_toolkits
     "$ENV{VIRTUAL_ENV}/lib/python3*/site-packages/nvidia/cu13"
     "$ENV{CONDA_PREFIX}/lib/python3*/site-packages/nvidia/cu13")
find_program(CMAKE_CUDA_COMPILER nvcc
             HINTS ${STRAIGHTEDGE_CUDA_ROOT} PATHS $ENV{CUDA_HOME} /usr/local/cuda ${python_toolkits} PATH_SUFFIXES bin)
if(NOT CMAKE_CUDA_COMPILER)
    message(FATAL_ERROR "nvcc was not found. Put it on the PATH, activate a Python environment with\n"
        "  pip install 'cuda-toolkit[nvcc,cudart,cublas,cusolver,cccl]==13.0.2' nvidia-cuda-crt==13.0.88 "
        "nvidia-nvvm==13.0.88 nvidia-nvjitlink==13.0.88\n"
        "or set STRAIGHTEDGE_CUDA_ROOT to the folder that holds bin/nvcc.")
endif()
get_filename_component(nvcc_path ${CMAKE_CUDA_COMPILER} REALPATH)
get_filename_component(cuda_root ${nvcc_path}/../.. ABSOLUTE)

# pip's toolkit keeps its libraries in lib, where nvcc itself does not look.
if(EXISTS ${cuda_root}/lib/libcudart_static.a)
    string(APPEND CMAKE_CUDA_FLAGS_INIT " -L${cuda_root}/lib")
endif()
set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
set(CMAKE_CUDA_STANDARD 17)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_EXTENSIONS OFF)
set(CMAKE_CUDA_VISIBILITY_PRESET hidden)
enable_language(CUDA)
if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 13 OR CMAKE_CUDA_COMPILER_VERSION VERSION_GREATER_EQUAL 14)
    message(FATAL_ERROR "${CMAKE_CUDA_COMPILER} is version ${CMAKE_CUDA_COMPILER_VERSION}; the kernels are built with CUDA 13.")
endif()

# Where the library's name has no plain form (pip's carry version suffixes alone), the version is part of it.
function(find_cuda_library variable name version)
    find_library(${variable} NAMES lib${name}.so.${version} ${name}
                 HINTS ${cuda_root}/lib64 ${cuda_root}/lib ${cuda_root}/targets/x86_64-linux/lib REQUIRED)
endfunction()
find_cuda_library(CUBLAS_LIBRARY cublas 13)
find_cuda_library(CUBLASLT_LIBRARY cublasLt 13)
find_cuda_library(CUSOLVER_LIBRARY cusolver 12)

add_compile_options("$<$<COMPILE_LANGUAGE:CUDA>:--Werror=all-warnings;-Xcompiler=-Wall,-Wextra>")

if(kernel_sources)
    add_library(straightedge-kernels-cuda13 SHARED ${kernel_sources})
    target_include_directories(straightedge-kernels-cuda13 PRIVATE Kernels Sources/CKernels/include)
    target_link_libraries(straightedge-kernels-cuda13 PRIVATE ${CUBLAS_LIBRARY} ${CUBLASLT_LIBRARY} ${CUSOLVER_LIBRARY})
    # cuSOLVER's own needs (cuSPARSE, nvJitLink) lie beside it.
    target_link_options(straightedge-kernels-cuda13 PRIVATE -Wl,-z,defs -Wl,-rpath-link,${cuda_root}/lib
                        -Wl,--version-script=${PROJECT_SOURCE_DIR}/Kernels/exports.map)
    set_target_properties(straightedge-kernels-cuda13 PROPERTIES LINK_DEPENDS ${PROJECT_SOURCE_DIR}/Kernels/exports.map)
endif()

if(STRAIGHTEDGE_KERNEL_CHECK)
    add_library(emulation-tests-check OBJECT ${test_sources})
    target_include_directories(emulation-tests-check PRIVATE Kernels Kernels/emulation Sources/CKernels/include)
endif()
