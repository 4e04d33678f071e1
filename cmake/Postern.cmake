# The four things this project builds, and the one rule of who may include whom:
# a room (top-level folder) sees itself and common/, nothing else.
#
# A room's own headers are included relative to the room ("flow.h", "decap/decap.h"); what passes
# between rooms is included as "common/...". To make that a property of the build and not of good
# will, common/ is reached through <build>/view, which holds a link to common/ and nothing else.

set(POSTERN_VIEW "${CMAKE_BINARY_DIR}/view")
file(MAKE_DIRECTORY "${POSTERN_VIEW}")
file(CREATE_LINK "${CMAKE_SOURCE_DIR}/common" "${POSTERN_VIEW}/common" SYMBOLIC)

add_library(postern_flags INTERFACE)
target_compile_definitions(postern_flags INTERFACE _GNU_SOURCE
  POSTERN_VERSION="${PROJECT_VERSION}")
target_compile_options(postern_flags INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wvla
  -Wstrict-prototypes -Wmissing-prototypes -fno-common -fstack-protector-strong
  "-iquote${POSTERN_VIEW}")
target_link_options(postern_flags INTERFACE -Wl,-z,relro,-z,now)
if(POSTERN_WERROR)
  target_compile_options(postern_flags INTERFACE -Werror)
endif()
if(POSTERN_SANITIZE)
  target_compile_options(postern_flags INTERFACE -fsanitize=address,undefined
    -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  target_link_options(postern_flags INTERFACE -fsanitize=address,undefined)
elseif(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_options(postern_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()
if(POSTERN_COVERAGE)
  target_compile_options(postern_flags INTERFACE --coverage)
  target_compile_definitions(postern_flags INTERFACE POSTERN_COVERAGE)
  target_link_options(postern_flags INTERFACE --coverage)
endif()

# Optimised by a profile: a folder that trains writes for each object what its code did, a folder that uses it reads
# that under the same name within the folder. What the training did not run is compiled as without a profile.
if(POSTERN_PGO)
  if(NOT CMAKE_C_COMPILER_ID STREQUAL "GNU" OR NOT CMAKE_BUILD_TYPE STREQUAL "Release"
      OR POSTERN_SANITIZE OR POSTERN_COVERAGE)
    message(FATAL_ERROR "POSTERN_PGO needs gcc and CMAKE_BUILD_TYPE=Release, without sanitizers and coverage")
  endif()
  set(profile "-fprofile-prefix-path=${CMAKE_BINARY_DIR}")
  if(POSTERN_PGO STREQUAL "TRAIN")
    list(APPEND profile "-fprofile-generate=${POSTERN_PROFILE}" -fprofile-update=single)
  elseif(POSTERN_PGO STREQUAL "USE")
    if(NOT EXISTS "${POSTERN_PROFILE}")
      message(FATAL_ERROR "POSTERN_PGO=USE: there is no ${POSTERN_PROFILE}; train first (docs/bench.md)")
    endif()
    # Of a packet's way the first cache for code holds a part at a time: what repeats code (loops unrolled, ends of
    # branches doubled) costs more than it brings.
    list(APPEND profile "-fprofile-use=${POSTERN_PROFILE}" -fprofile-partial-training
      -fno-tracer -fno-unroll-loops -fno-peel-loops -Wno-missing-profile)
    if(POSTERN_BOLT)
      # It parts hot code from cold itself.
      list(APPEND profile -fno-reorder-blocks-and-partition)
    endif()
  else()
    message(FATAL_ERROR "POSTERN_PGO is OFF, TRAIN or USE, not ${POSTERN_PGO}")
  endif()
  target_compile_options(postern_flags INTERFACE ${profile})
  target_link_options(postern_flags INTERFACE ${profile})
endif()

# postern_library(NAME ROOM room SOURCES ... [LIBS ...])
function(postern_library name)
  cmake_parse_arguments(P "" "ROOM" "SOURCES;LIBS" ${ARGN})
  add_library(${name} STATIC ${P_SOURCES})
  target_compile_options(${name} PRIVATE "-iquote${CMAKE_SOURCE_DIR}/${P_ROOM}")
  target_link_libraries(${name} PUBLIC postern_flags ${P_LIBS})
endfunction()

# postern_program(NAME ROOM room SOURCES main.c ... [LIBS ...]): installed in sbin, but for the command
function(postern_program name)
  cmake_parse_arguments(P "USER_COMMAND" "ROOM" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${P_SOURCES})
  target_compile_options(${name} PRIVATE "-iquote${CMAKE_SOURCE_DIR}/${P_ROOM}")
  target_link_libraries(${name} PRIVATE postern_flags ${P_LIBS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
  if(P_USER_COMMAND)
    install(TARGETS ${name} DESTINATION ${CMAKE_INSTALL_BINDIR})
  else()
    install(TARGETS ${name} DESTINATION ${CMAKE_INSTALL_SBINDIR})
  endif()
endfunction()

# postern_whole_program(PROGRAM LIBRARY ...): in a Release build by gcc the program is optimised across its
# libraries' files. The libraries keep their ordinary code beside, for everybody else who links them.
function(postern_whole_program program)
  if(NOT CMAKE_C_COMPILER_ID STREQUAL "GNU" OR NOT CMAKE_BUILD_TYPE STREQUAL "Release"
      OR POSTERN_SANITIZE OR POSTERN_COVERAGE)
    return()
  endif()
  # What is wiped and copied here is some hundred octets, for which the instructions that repeat a store, gcc's choice
  # on x86, take longer to begin than the C library takes in all. Linking makes the code, so it has to know as well.
  set(strategy)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
    foreach(what memset memcpy)
      list(APPEND strategy -m${what}-strategy=unrolled_loop:96:noalign,libcall:-1:noalign)
    endforeach()
  endif()
  foreach(target ${program} ${ARGN})
    target_compile_options(${target} PRIVATE -flto=auto -ffat-lto-objects ${strategy})
  endforeach()
  target_link_options(${program} PRIVATE -flto=auto ${strategy})
endfunction()

# postern_laid_out(PROGRAM): where POSTERN_BOLT is set the linked program's blocks and functions are put in the order in which
# they run, by the profile PROGRAM.fdata; without that the program only keeps what moving its code needs (docs/bench.md).
function(postern_laid_out program)
  if(NOT POSTERN_BOLT OR NOT POSTERN_PGO STREQUAL "USE")
    return()
  endif()
  target_link_options(${program} PRIVATE -Wl,--emit-relocs)
  set(profile "${POSTERN_PROFILE}/${program}.fdata")
  if(EXISTS "${profile}")
    add_custom_command(TARGET ${program} POST_BUILD VERBATIM COMMAND "${CMAKE_COMMAND}"
      "-DBOLT=${POSTERN_BOLT}" "-DPROGRAM=$<TARGET_FILE:${program}>" "-DPROFILE=${profile}"
      -P "${CMAKE_SOURCE_DIR}/cmake/LayOut.cmake")
  endif()
endfunction()

# postern_test(NAME ROOM room SOURCES ... [LIBS ...]): a cmocka program, one ctest entry
function(postern_test name)
  cmake_parse_arguments(P "" "ROOM" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${P_SOURCES})
  target_compile_options(${name} PRIVATE "-iquote${CMAKE_SOURCE_DIR}/${P_ROOM}"
    "-iquote${CMAKE_SOURCE_DIR}/tests/unit")
  target_compile_definitions(${name} PRIVATE
    POSTERN_SOURCE_DIR="${CMAKE_SOURCE_DIR}" POSTERN_SHARED_DIR="${POSTERN_SHARED_DIR}")
  target_link_libraries(${name} PRIVATE postern_flags ${P_LIBS} ${CMOCKA_LIBRARIES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 120)
endfunction()

# postern_fuzz(NAME ROOM room SOURCES fuzz_x.c [LIBS ...] CORPUS dir): a target that defines
# LLVMFuzzerTestOneInput. Without libFuzzer it is linked with a replayer and its corpus is a test.
function(postern_fuzz name)
  cmake_parse_arguments(P "" "ROOM;CORPUS" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${P_SOURCES})
  target_compile_options(${name} PRIVATE "-iquote${CMAKE_SOURCE_DIR}/${P_ROOM}")
  target_link_libraries(${name} PRIVATE postern_flags ${P_LIBS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/fuzz")
  if(POSTERN_LIBFUZZER)
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    target_sources(${name} PRIVATE "${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.c")
    add_test(NAME ${name} COMMAND ${name} "${P_CORPUS}")
    set_tests_properties(${name} PROPERTIES TIMEOUT 120)
  endif()
endfunction()

# postern_plain(program library): the program is linked with the sources of a library of ours, and of
# all it stands on, compiled without sanitizers
function(postern_plain program library)
  target_compile_definitions(${program} PRIVATE _GNU_SOURCE POSTERN_VERSION="${PROJECT_VERSION}")
  target_compile_options(${program} PRIVATE -O2 "-iquote${POSTERN_VIEW}")
  # As the programs: a function found only when it is called first leaves the caller's registers on the stack.
  target_link_options(${program} PRIVATE -Wl,-z,relro,-z,now)
  set(waiting ${library})
  set(done postern_flags)
  while(waiting)
    list(POP_FRONT waiting part)
    if(part IN_LIST done)
      continue()
    endif()
    list(APPEND done ${part})
    get_target_property(libraries ${part} INTERFACE_LINK_LIBRARIES)
    set(foreign ${libraries})
    list(FILTER libraries INCLUDE REGEX "^postern_")
    list(FILTER foreign EXCLUDE REGEX "^postern_")
    list(APPEND waiting ${libraries})
    get_target_property(sources ${part} SOURCES)
    if(NOT sources) # a name for others
      continue()
    endif()
    get_target_property(folder ${part} SOURCE_DIR)
    list(TRANSFORM sources PREPEND "${folder}/" REGEX "^[^/]|^[a-z0-9]+/")
    string(REGEX REPLACE "^${CMAKE_SOURCE_DIR}/([a-z]+).*" "\\1" room "${folder}")
    add_library(${program}_${part} OBJECT ${sources})
    target_compile_definitions(${program}_${part} PRIVATE _GNU_SOURCE
      POSTERN_VERSION="${PROJECT_VERSION}")
    target_compile_options(${program}_${part} PRIVATE -O2 "-iquote${POSTERN_VIEW}"
      "-iquote${CMAKE_SOURCE_DIR}/${room}")
    target_link_libraries(${program}_${part} PUBLIC ${foreign})
    target_link_libraries(${program} PRIVATE ${program}_${part})
  endwhile()
endfunction()
