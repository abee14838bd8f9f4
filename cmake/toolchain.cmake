# Compiler flags, ccache and mold. Warnings are errors on both compilers.
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_library(aimeter_flags INTERFACE)
target_compile_options(aimeter_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
                                               -Woverloaded-virtual -Wimplicit-fallthrough -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(aimeter_flags INTERFACE -Wthread-safety -Wno-missing-designated-field-initializers
                                                 -Wno-missing-field-initializers)
else()
  # g++ 12 reports std::optional and std::expected of libstdc++ as maybe uninitialized when it inlines.
  target_compile_options(aimeter_flags INTERFACE -Wno-missing-field-initializers
                                                 -Wno-maybe-uninitialized)
endif()
if(AIMETER_SANITIZE)
  add_compile_options(-fsanitize=${AIMETER_SANITIZE} -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${AIMETER_SANITIZE})
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    # g++ 12 reports false maybe-uninitialized and tsan fences under instrumentation.
    target_compile_options(aimeter_flags INTERFACE  -Wno-error=tsan)
  endif()
endif()
if(AIMETER_FUZZ)
  # Undefined behaviour ends the run; the counters of -fcoverage-mapping tell what script/fuzz has reached.
  add_compile_options(-fsanitize=fuzzer-no-link -fno-sanitize-recover=all -fprofile-instr-generate -fcoverage-mapping)
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
  add_link_options(-fprofile-instr-generate)
endif()
if(AIMETER_FAULTS)
  add_compile_definitions(AIMETER_FAULTS=1)
endif()
