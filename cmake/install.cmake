# find_package(aimeter) after `cmake --install`.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
install(TARGETS aimeter EXPORT aimeterTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS aimeter_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY include/aimeter DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT aimeterTargets NAMESPACE aimeter:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/aimeter)
configure_package_config_file(cmake/aimeterConfig.cmake.in ${CMAKE_BINARY_DIR}/aimeterConfig.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/aimeter)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/aimeterConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/aimeterConfig.cmake ${CMAKE_BINARY_DIR}/aimeterConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/aimeter)
