# adze_add_plugin(<name> <source>...): a plugin as every Adze host wants it: a module without a
# prefix whose one export is the entry function, so that nothing in it can clash with the host or
# with another plugin (default-visibility symbols bind to the host's and corrupt data silently).

function(adze_add_plugin name)
  set(map "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/adze_plugin.map")
  add_library(${name} MODULE ${ARGN})
  target_link_libraries(${name} PRIVATE adze::sdk)
  set_target_properties(${name} PROPERTIES
    PREFIX "" C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    C_STANDARD 17 C_EXTENSIONS OFF CXX_STANDARD 20 CXX_EXTENSIONS OFF
    LINK_DEPENDS "${map}")
  target_link_options(${name} PRIVATE
    "LINKER:--version-script=${map}" "LINKER:--exclude-libs,ALL")
  # A sanitizer's runtime is in the executable, so its symbols stay undefined in a module.
  if(NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize" AND NOT CMAKE_C_FLAGS MATCHES "-fsanitize")
    target_link_options(${name} PRIVATE LINKER:-z,defs)
    # Whatever would keep it from being loaded fails the build. Within Adze's own tree the host is
    # built beside the plugins, and its tests look at them.
    if(NOT TARGET adze_base AND NOT CMAKE_CROSSCOMPILING)
      find_program(ADZE_PROGRAM adze HINTS "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../../../bin")
      if(ADZE_PROGRAM)
        add_custom_command(TARGET ${name} POST_BUILD VERBATIM
          COMMAND "${ADZE_PROGRAM}" -q plugin check --only L "$<TARGET_FILE:${name}>")
      endif()
    endif()
  endif()
endfunction()

# adze_check_plugin(<name>): a test that has `adze plugin check` try every rule of the contract on
# the plugin. ADZE_PROGRAM names the program when it is not found.
function(adze_check_plugin name)
  find_program(ADZE_PROGRAM adze HINTS "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../../../bin")
  if(ADZE_PROGRAM)
    add_test(NAME ${name}.follows_the_rules
      COMMAND ${ADZE_PROGRAM} plugin check $<TARGET_FILE:${name}>)
  else()
    message(WARNING "adze is not installed: no test for ${name} (ADZE_PROGRAM=<path> names it)")
  endif()
endfunction()
