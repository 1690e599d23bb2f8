# What makes a fault of memory harder to use: what is compiled in, and how the libraries are linked.
# tests/python/test_binary.py reads it back out of the built files.
include(CheckCXXCompilerFlag)
include(CheckLinkerFlag)

add_library(ktrdr_hardened INTERFACE)
# A sanitizer watches more, and what it is compiled for is not handed out.
if(KTRDR_SANITIZE OR KTRDR_COVERAGE)
  return()
endif()

foreach(flag IN ITEMS -fstack-protector-strong -fstack-clash-protection -fcf-protection=full)
  string(MAKE_C_IDENTIFIER "KTRDR_HAS${flag}" known)
  check_cxx_compiler_flag(${flag} ${known})
  if(${known})
    target_compile_options(ktrdr_hardened INTERFACE ${flag})
  endif()
endforeach()

# The checks of the C library need the optimiser. A distribution's compiler may bring a level of its own.
set(level 2)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 12)
  set(level 3)
endif()
target_compile_options(ktrdr_hardened INTERFACE "$<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=${level}>")

# Nothing that the loader has filled in can be written to, and no stack is run. The mark for shadow stacks is set though
# start files and static libraries of the system may lack it: theirs are ordinary calls, too.
foreach(option IN ITEMS relro now noexecstack shstk)
  check_linker_flag(CXX "-Wl,-z,${option}" KTRDR_LINKS_${option})
  if(KTRDR_LINKS_${option})
    target_link_options(ktrdr_hardened INTERFACE "-Wl,-z,${option}")
  endif()
endforeach()
