# cmake -DBOLT=... -DPROGRAM=... -DPROFILE=... -P LayOut.cmake: puts the code of a linked program into the order in which it
# runs. What the optimiser says is in PROGRAM.log.
execute_process(
  COMMAND "${BOLT}" "${PROGRAM}" -o "${PROGRAM}.laid" "-data=${PROFILE}" -reorder-blocks=ext-tsp
    -reorder-functions=hfsort+ -split-functions -split-all-cold -icf=1 -plt=hot -peepholes=all
  OUTPUT_FILE "${PROGRAM}.log" ERROR_FILE "${PROGRAM}.log" RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${BOLT} ended with ${status}; what it said is in ${PROGRAM}.log")
endif()
file(RENAME "${PROGRAM}.laid" "${PROGRAM}")
