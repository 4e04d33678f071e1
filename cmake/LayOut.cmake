# cmake -DBOLT=... -DPROGRAM=... -DPROFILE=... [-DREQUIRED=1] -P LayOut.cmake: puts the code of a linked program into the order in
# which it runs. What the optimiser says is in PROGRAM.log. When it fails the program stays as it was linked; that is an error
# where it is REQUIRED.
execute_process(
  COMMAND "${BOLT}" "${PROGRAM}" -o "${PROGRAM}.laid" "-data=${PROFILE}" -reorder-blocks=ext-tsp
    -reorder-functions=hfsort+ -split-functions -split-all-cold -icf=1 -plt=hot -peepholes=all
  OUTPUT_FILE "${PROGRAM}.log" ERROR_FILE "${PROGRAM}.log" RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  file(REMOVE "${PROGRAM}.laid")
  set(said "${BOLT} ended with ${status}; what it said is in ${PROGRAM}.log")
  if(REQUIRED)
    message(FATAL_ERROR "${said}")
  endif()
  message(WARNING "${said}. The program stays in the linker's order")
  return()
endif()
file(RENAME "${PROGRAM}.laid" "${PROGRAM}")
