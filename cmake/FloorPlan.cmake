# The floor plan is checked in every build, where there is a Python to do it and the tree has its documents.
if(EXISTS "${CMAKE_SOURCE_DIR}/tools/floor_plan.py" AND EXISTS "${CMAKE_SOURCE_DIR}/docs/architecture.md")
  find_program(KTRDR_TOOLS_PYTHON NAMES python3 DOC "A Python >= 3.10 that runs tools/")
  if(KTRDR_TOOLS_PYTHON)
    add_custom_target(
      floor_plan
      COMMAND "${KTRDR_TOOLS_PYTHON}" -I "${CMAKE_SOURCE_DIR}/tools/floor_plan.py"
      COMMAND "${KTRDR_TOOLS_PYTHON}" -I "${CMAKE_SOURCE_DIR}/tools/openssl_results.py"
      COMMENT "Checking the floor plan"
      VERBATIM)
    add_dependencies(ktrdr floor_plan)
    if(KTRDR_TESTS)
      add_test(NAME floor_plan COMMAND "${KTRDR_TOOLS_PYTHON}" -I "${CMAKE_SOURCE_DIR}/tools/floor_plan.py")
      add_test(NAME forbidden_includes COMMAND "${KTRDR_TOOLS_PYTHON}" -I "${CMAKE_SOURCE_DIR}/tests/cpp/floor_plan/forbidden_includes.py"
                                               "${CMAKE_BINARY_DIR}")
    endif()
  endif()
endif()
