# Fuzz targets of the dialogue trackers.
foreach(module blocklist dns ident login smtp socks tls)
  postern_fuzz(fuzz_${module} ROOM sensor SOURCES fuzz_${module}.c LIBS postern_proto
    CORPUS "${CMAKE_CURRENT_SOURCE_DIR}/corpus/${module}")
endforeach()
