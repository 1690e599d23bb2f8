# What makes a fault of memory harder to use: what is compiled in, and how the libraries are linked.
# tests/python/test_binary.py reads it back out of the built files.
include(CheckLinkerFlag)

add_library(ktrdr_hardened INTERFACE)
# A sanitizer watches more, and what it is compiled for is not handed out.
if(KTRDR_SANITIZE OR KTRDR_COVERAGE)
  return()
endif()

# Nothing that the loader has filled in can be written to, and no stack is run.
foreach(option IN ITEMS relro now noexecstack)
  check_linker_flag(CXX "-Wl,-z,${option}" KTRDR_LINKS_${option})
  if(KTRDR_LINKS_${option})
    target_link_options(ktrdr_hardened INTERFACE "-Wl,-z,${option}")
  endif()
endforeach()
