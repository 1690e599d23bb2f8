# LibTorch as it lies inside an installed torch wheel. Torch's own TorchConfig.cmake is not used: in PyPI's ordinary
# Linux wheel it stops when no CUDA toolkit is installed, and it asks for far more libraries than the CPU needs.
#
# Gives the target LibTorch::LibTorch and KTRDR_TORCH_RELEASE, the release number without "+cpu" or "+cu…". The package is
# the one of Python_EXECUTABLE, asked anew at each configuration; KTRDR_TORCH_DIR names the folder of another.
include_guard(GLOBAL)

set(torch_dir "${KTRDR_TORCH_DIR}")
if(NOT torch_dir)
  if(NOT Python_EXECUTABLE)
    find_package(Python 3.11 COMPONENTS Interpreter REQUIRED)
  endif()
  # find_spec does not run the package: importing torch takes seconds.
  execute_process(
    COMMAND "${Python_EXECUTABLE}" -c
            "import importlib.util, pathlib; spec = importlib.util.find_spec('torch'); print(pathlib.Path(spec.origin).parent if spec else '', end='')"
    OUTPUT_VARIABLE torch_dir
    RESULT_VARIABLE torch_result)
  if(NOT torch_result EQUAL 0 OR NOT torch_dir)
    message(FATAL_ERROR "${Python_EXECUTABLE} has no torch. Install it (pip install torch==2.13.0), point KTRDR_TORCH_DIR "
                        "at a torch package, or build without local training: -DKTRDR_TORCH=OFF.")
  endif()
endif()

foreach(needed IN ITEMS version.py include/ATen/core/Tensor.h lib/libtorch_cpu.so lib/libc10.so)
  if(NOT EXISTS "${torch_dir}/${needed}")
    message(FATAL_ERROR "${torch_dir} is no torch package to build against: it has no ${needed}.")
  endif()
endforeach()

set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${torch_dir}/version.py")
file(STRINGS "${torch_dir}/version.py" torch_version REGEX "^__version__")
if(NOT torch_version MATCHES "'([0-9]+\\.[0-9]+\\.[0-9]+)")
  message(FATAL_ERROR "No release number in ${torch_dir}/version.py: ${torch_version}")
endif()
set(KTRDR_TORCH_RELEASE "${CMAKE_MATCH_1}" CACHE INTERNAL "Release number of the torch built against")
message(STATUS "LibTorch ${KTRDR_TORCH_RELEASE} in ${torch_dir}")

add_library(LibTorch::c10 SHARED IMPORTED GLOBAL)
set_target_properties(LibTorch::c10 PROPERTIES IMPORTED_LOCATION "${torch_dir}/lib/libc10.so")
add_library(LibTorch::LibTorch SHARED IMPORTED GLOBAL)
set_target_properties(LibTorch::LibTorch PROPERTIES IMPORTED_LOCATION "${torch_dir}/lib/libtorch_cpu.so")
# Imported, so the includes are SYSTEM: warnings in them are not ours.
target_include_directories(LibTorch::LibTorch INTERFACE "${torch_dir}/include"
                                                        "${torch_dir}/include/torch/csrc/api/include")
target_link_libraries(LibTorch::LibTorch INTERFACE LibTorch::c10)
# The CUDA wheel's libtorch_cpu.so needs libraries of other wheels, which Python finds and the linker does not.
target_link_options(LibTorch::LibTorch INTERFACE -Wl,--allow-shlib-undefined)
