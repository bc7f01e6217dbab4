# Included before rosidl_generate_interfaces() by set-up's builds (messages.py): everything that rclpy needs, no C++.
#
# Each generator is started through generate.py, which parses an interface once for all of them.

find_package(action_msgs REQUIRED)  # all generators are known only when every dependency has been found
list(FILTER AMENT_EXTENSIONS_rosidl_generate_idl_interfaces EXCLUDE REGEX "_cpp:")

foreach(extension ${AMENT_EXTENSIONS_rosidl_generate_idl_interfaces})
  string(REGEX REPLACE ":.*" "" generator "${extension}")
  set(GENERATOR_PROGRAM "${${generator}_BIN}")
  set(GENERATE_SCRIPT "${CMAKE_CURRENT_LIST_DIR}/generate.py")
  set(${generator}_BIN "${CMAKE_CURRENT_BINARY_DIR}/generators/${generator}")
  file(WRITE "${${generator}_BIN}"
    "import runpy, sys\n"
    "sys.argv[0:1] = ['${GENERATE_SCRIPT}', '${CMAKE_CURRENT_BINARY_DIR}/parsed', '${GENERATOR_PROGRAM}']\n"
    "runpy.run_path(sys.argv[0], run_name='__main__')\n")
endforeach()
