# cmake -DIN=file -DOUT=file.c -DNAME=symbol -P embed.cmake: a file's octets as a C array, so that a
# program carries its style sheet and needs no folder of its own.
file(READ "${IN}" hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," octets "${hex}")
string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" octets "${octets}")
file(WRITE "${OUT}" "#include <stddef.h>\nextern const unsigned char ${NAME}[];\n"
  "extern const size_t ${NAME}_size;\nconst unsigned char ${NAME}[] = {\n${octets}\n};\n"
  "const size_t ${NAME}_size = sizeof ${NAME};\n")
