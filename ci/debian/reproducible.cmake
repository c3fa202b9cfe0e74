# Read by cpack: files carry the date of the release, so that the same sources give the same bytes.
if(NOT DEFINED ENV{SOURCE_DATE_EPOCH})
  set(ENV{SOURCE_DATE_EPOCH} "${CPACK_ADZE_RELEASE_EPOCH}")
endif()
