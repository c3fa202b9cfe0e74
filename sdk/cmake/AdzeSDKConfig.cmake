include("${CMAKE_CURRENT_LIST_DIR}/AdzeSDKTargets.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/adze_add_plugin.cmake")
