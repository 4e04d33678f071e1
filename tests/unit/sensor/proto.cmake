# Tests of the dialogue trackers, on the harness of dialogue.h.
foreach(module blocklist dns login proto smtp smtp_bounds smtp_gaps smtp_queue socks tls)
  postern_test(test_${module} ROOM sensor SOURCES test_${module}.c dialogue.c LIBS postern_proto)
endforeach()
