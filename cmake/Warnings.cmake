set(SEEKROUTE_WARNINGS -Wall -Wextra -Wpedantic -Wconversion -Wshadow
  # Designated initializers leave the other members at their defaults on purpose.
  -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # base/mutex.h carries the annotations; a wrong lock is a compile error.
  list(APPEND SEEKROUTE_WARNINGS -Wthread-safety -Werror=thread-safety)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 at -O3 sees overlapping copies inside its own std::string (GCC bug 105651).
  list(APPEND SEEKROUTE_WARNINGS -Wno-restrict)
endif()
if(SEEKROUTE_WERROR)
  list(APPEND SEEKROUTE_WARNINGS -Werror)
endif()
