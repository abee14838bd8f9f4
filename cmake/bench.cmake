# bench/*.cpp are the scenarios of script/bench, one program: aimeter-bench.
file(GLOB bench_sources CONFIGURE_DEPENDS bench/*.cpp)
if(bench_sources)
  add_executable(aimeter_bench ${bench_sources})
  set_target_properties(aimeter_bench PROPERTIES OUTPUT_NAME aimeter-bench)
  target_include_directories(aimeter_bench PRIVATE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(aimeter_bench PRIVATE aimeter_flags aimeter_pkg_cli)
endif()
