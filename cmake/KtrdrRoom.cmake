# A room is a static library with its own include root. It sees only the rooms it links, so a forbidden include
# does not compile. The plan itself is the table in docs/architecture.md; tools/floor_plan.py compares the two.

# What every target of ours is compiled with.
add_library(ktrdr_flags INTERFACE)
target_compile_options(ktrdr_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion $<$<BOOL:${KTRDR_WERROR}>:-Werror>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Where a coroutine's own operator new is inlined and its delete is not, GCC takes them for strangers.
  target_compile_options(ktrdr_flags INTERFACE -Wno-mismatched-new-delete)
  # The optimiser's guesses about inlined library code, fmt's and the standard library's, are shown and stop nothing.
  set(guesses -Wno-error=array-bounds -Wno-error=stringop-overflow -Wno-error=stringop-overread -Wno-error=restrict
              -Wno-error=maybe-uninitialized)
  if(CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 13)
    target_compile_options(ktrdr_flags INTERFACE ${guesses} -Wno-error=dangling-reference)
  elseif(KTRDR_SANITIZE)
    # Its own code makes the optimiser guess more.
    target_compile_options(ktrdr_flags INTERFACE ${guesses})
  else()
    target_compile_options(ktrdr_flags INTERFACE "$<$<CONFIG:Release>:${guesses}>")
  endif()
endif()
target_compile_definitions(ktrdr_flags INTERFACE BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED
                                                 BOOST_BEAST_SEPARATE_COMPILATION)
if(KTRDR_SANITIZE)
  target_compile_options(ktrdr_flags INTERFACE -fsanitize=${KTRDR_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(ktrdr_flags INTERFACE -fsanitize=${KTRDR_SANITIZE})
  if(KTRDR_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Asio fences between its queues; the sanitizer says only that it does not model them.
    target_compile_options(ktrdr_flags INTERFACE -Wno-error=tsan)
  endif()
endif()

if(KTRDR_COVERAGE)
  # Threads count too.
  target_compile_options(ktrdr_flags INTERFACE --coverage -fprofile-update=atomic)
  target_link_options(ktrdr_flags INTERFACE --coverage)
endif()
if(KTRDR_BATCH GREATER 1)
  # Of files that are compiled together (ktrdr_in_batches) these warn of what is no matter in each by itself.
  target_compile_options(ktrdr_flags INTERFACE -Wno-shadow $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endif()

# ktrdr_in_batches(<target> <variable> <source>...)
# Sets the variable to sources that each include KTRDR_BATCH of the given ones: what they all include is most of a
# compiler's work. Not by CMake's UNITY_BUILD, whose files name the folder of the clone: ccache would know none of them in
# another.
function(ktrdr_in_batches target variable)
  set(batches)
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/batches")
  while(ARGN)
    list(SUBLIST ARGN 0 ${KTRDR_BATCH} batch)
    list(REMOVE_ITEM ARGN ${batch})
    if(KTRDR_BATCH EQUAL 1)
      list(APPEND batches ${batch})
      continue()
    endif()
    set(content)
    foreach(source IN LISTS batch)
      file(RELATIVE_PATH source "${folder}" "${source}")
      string(APPEND content "#include \"${source}\"\n")
    endforeach()
    list(LENGTH batches number)
    set(file "${folder}/${target}_${number}.cpp")
    file(CONFIGURE OUTPUT "${file}" CONTENT "${content}" @ONLY)
    list(APPEND batches "${file}")
  endwhile()
  set(${variable} ${batches} PARENT_SCOPE)
endfunction()

# ktrdr_room(<name> USES <room>... [LIBRARIES <target>...] [ALONE <source>...] [COMPUTES])
# COMPUTES: its loops over bars are most of what its tests do, so a sanitizer's build optimises it.
# Makes ktrdr_<name>_headers (the include root and those of the rooms it uses) and ktrdr_<name> (the code).
function(ktrdr_room name)
  cmake_parse_arguments(ROOM "COMPUTES" "" "USES;LIBRARIES;ALONE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/src/*.cpp")
  set(headers ktrdr_${name}_headers)
  add_library(${headers} INTERFACE)
  target_include_directories(${headers} INTERFACE "${CMAKE_CURRENT_SOURCE_DIR}/include")
  if(ROOM_ALONE)
    list(TRANSFORM ROOM_ALONE PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/src/")
    list(REMOVE_ITEM sources ${ROOM_ALONE})
  endif()
  ktrdr_in_batches(ktrdr_${name} batches ${sources})
  add_library(ktrdr_${name} STATIC ${batches} ${ROOM_ALONE})
  target_include_directories(ktrdr_${name} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/src")
  target_link_libraries(ktrdr_${name} PUBLIC ${headers} PRIVATE ktrdr_flags ktrdr_hardened)
  if(ROOM_COMPUTES AND KTRDR_SANITIZE)
    target_compile_options(ktrdr_${name} PRIVATE -O1)
  endif()
  foreach(used IN LISTS ROOM_USES)
    target_link_libraries(${headers} INTERFACE ktrdr_${used}_headers)
    target_link_libraries(ktrdr_${name} PUBLIC ktrdr_${used})
  endforeach()
  target_link_libraries(${headers} INTERFACE ${ROOM_LIBRARIES})
  set_property(GLOBAL APPEND PROPERTY KTRDR_ROOMS ${name})
endfunction()
