# Finds what the core is built on. All that is missing is said at once, by the names of its packages.
find_package(Threads REQUIRED)

if(SEEKROUTE_STATIC_LIBRARIES)
  list(PREPEND CMAKE_PREFIX_PATH "${SEEKROUTE_STATIC_LIBRARIES}")
  set(OPENSSL_USE_STATIC_LIBS ON)
  set(CURL_USE_STATIC_LIBS ON)
endif()
find_package(CURL 7.87 QUIET)  # 7.85: PROTOCOLS_STR; 7.87: QUICK_EXIT
find_package(OpenSSL 3.0 QUIET)
find_package(SQLite3 3.40 QUIET)  # 3.37: STRICT tables
# RapidJSON's last release (1.1.0, 2016) does not compile with GCC 14 and later; Debian's package of
# it does with GCC 12. Headers only, and an own target because distributions disagree on its name.
find_path(RAPIDJSON_INCLUDE_DIR rapidjson/reader.h)

set(sr_missing "")
foreach(package IN ITEMS CURL:libcurl:7.87 OpenSSL:OpenSSL:3.0 SQLite3:SQLite:3.40)
  string(REPLACE ":" ";" fields ${package})
  list(GET fields 0 name)
  list(GET fields 1 title)
  list(GET fields 2 least)
  string(TOUPPER ${name} upper)
  if(NOT ${name}_FOUND AND NOT ${upper}_FOUND)
    set(found "${${name}_VERSION}${${name}_VERSION_STRING}${${upper}_VERSION}")
    if(found)
      set(found " (found ${found}, which is too old)")
    endif()
    string(APPEND sr_missing "  ${title} ${least} or later${found}\n")
  endif()
endforeach()
if(NOT RAPIDJSON_INCLUDE_DIR)
  string(APPEND sr_missing "  RapidJSON\n")
endif()
if(sr_missing)
  message(FATAL_ERROR "seekroute is built from source and needs, with their headers:\n${sr_missing}"
    "Install what is missing:\n${SEEKROUTE_PACKAGES}")
endif()

add_library(RapidJSON::RapidJSON INTERFACE IMPORTED)
target_include_directories(RapidJSON::RapidJSON SYSTEM INTERFACE ${RAPIDJSON_INCLUDE_DIR})
