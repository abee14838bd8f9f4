# The file suffix decides the target: src/<package>/*_test.cpp -> <package>_test; tests/<kind>/*.cpp -> <kind>_test.
find_package(GTest REQUIRED)
include(GoogleTest)

function(aimeter_add_tests name timeout)
  add_executable(${name} ${ARGN})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR})
  target_compile_definitions(${name} PRIVATE AIMETER_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                             AIMETER_BINARY_DIR="${CMAKE_BINARY_DIR}")
  target_link_libraries(${name} PRIVATE aimeter_flags GTest::gmock GTest::gtest_main)
  target_compile_options(${name} PRIVATE -O0)  # what is tested is optimised, the tests need not be
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT ${timeout})
endfunction()

foreach(package IN LISTS AIMETER_PACKAGES)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS src/${package}/*_test.cpp)
  if(sources)
    aimeter_add_tests(${package}_test 120 ${sources})
    target_link_libraries(${package}_test PRIVATE aimeter_pkg_${package})
  endif()
endforeach()

# SQLite on a disk in memory that loses power: for every test that wants one.
add_library(aimeter_disk STATIC tests/disk/machine.cpp)
target_include_directories(aimeter_disk PUBLIC ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/src)
target_link_libraries(aimeter_disk PUBLIC aimeter_pkg_drivers PRIVATE aimeter_flags)

foreach(kind contract property named spec flow data disk stripe tidy)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS tests/${kind}/*_test.cpp)
  file(GLOB support CONFIGURE_DEPENDS tests/${kind}/*.cpp)
  list(APPEND sources ${support})
  list(REMOVE_DUPLICATES sources)
  list(FILTER sources EXCLUDE REGEX "/disk/machine\\.cpp$")
  if(sources)
    aimeter_add_tests(${kind}_test 600 ${sources})
    if(kind STREQUAL "tidy")
      continue()  # reads the tree only
    endif()
    if(kind STREQUAL "disk")
      target_link_libraries(${kind}_test PRIVATE aimeter_disk aimeter_pkg_ledger)
      continue()  # below the meter: quick to build with a fault in it
    endif()
    if(kind STREQUAL "stripe")
      target_link_libraries(${kind}_test PRIVATE aimeter_pkg_app)
      continue()  # without the command line
    endif()
    list(GET AIMETER_PACKAGES -1 top)
    target_link_libraries(${kind}_test PRIVATE aimeter_pkg_${top})
    add_dependencies(${kind}_test aimeter_cli)
  endif()
endforeach()

# The crash matrix: the sources with fault points are compiled once more, with the points in them,
# and stand before the libraries, whose own objects of them are then left out by the linker.
file(GLOB_RECURSE sources CONFIGURE_DEPENDS src/*.cpp)
set(with_points src/base/fault.cpp)
foreach(source IN LISTS sources)
  file(STRINGS ${source} points REGEX "AIMETER_FAULT_POINT\\(\"")
  if(points)
    list(APPEND with_points ${source})
  endif()
endforeach()
file(GLOB sources CONFIGURE_DEPENDS tests/crash/*_test.cpp)
aimeter_add_tests(crash_test 600 ${sources})
add_library(aimeter_fault_points OBJECT ${with_points})
target_include_directories(aimeter_fault_points PRIVATE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
# Not AIMETER_FAULTS: its types are others than those of the objects that are taken from the libraries.
target_compile_definitions(aimeter_fault_points PRIVATE AIMETER_FAULT_POINTS=1)
target_link_libraries(aimeter_fault_points PRIVATE aimeter_flags aimeter_outside)
target_link_libraries(crash_test PRIVATE aimeter_fault_points aimeter_pkg_cli)
# The simulator: a library (as optimised as the engine that it runs), its program, and its test.
file(GLOB sources CONFIGURE_DEPENDS tests/sim/*.cpp)
list(FILTER sources EXCLUDE REGEX "(main|_test)\\.cpp$")
add_library(aimeter_sim STATIC ${sources})
target_include_directories(aimeter_sim PUBLIC ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/src)
target_link_libraries(aimeter_sim PRIVATE aimeter_flags PUBLIC aimeter_disk aimeter_pkg_drivers aimeter_pkg_ledger)
add_executable(aimeter_sim_program tests/sim/main.cpp)
set_target_properties(aimeter_sim_program PROPERTIES OUTPUT_NAME aimeter-sim)
target_link_libraries(aimeter_sim_program PRIVATE aimeter_flags aimeter_sim)
aimeter_add_tests(sim_test 600 tests/sim/sim_test.cpp)
target_link_libraries(sim_test PRIVATE aimeter_sim)

# find_package(aimeter) works after `cmake --install`: a host's program is built and run against it.
set(install_flags "")
if(AIMETER_SANITIZE)
  set(install_flags -fsanitize=${AIMETER_SANITIZE})
endif()
add_test(NAME Install.AHostBuildsAgainstTheInstalledPackage
         COMMAND ${CMAKE_SOURCE_DIR}/tests/install/install_test.sh ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}
                 ${CMAKE_CXX_COMPILER} ${install_flags})
set_tests_properties(Install.AHostBuildsAgainstTheInstalledPackage PROPERTIES TIMEOUT 300)
