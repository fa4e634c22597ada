find_package(Threads REQUIRED)
find_package(CURL 7.87 REQUIRED)  # 7.85: PROTOCOLS_STR; 7.87: QUICK_EXIT
find_package(OpenSSL 3.0 REQUIRED)
find_package(SQLite3 3.40 REQUIRED)  # 3.37: STRICT tables

# RapidJSON's last release (1.1.0, 2016) does not compile with GCC 14 and later; Debian's package of
# it does with GCC 12. Headers only, and an own target because distributions disagree on its name.
find_path(RAPIDJSON_INCLUDE_DIR rapidjson/reader.h REQUIRED)
add_library(RapidJSON::RapidJSON INTERFACE IMPORTED)
target_include_directories(RapidJSON::RapidJSON SYSTEM INTERFACE ${RAPIDJSON_INCLUDE_DIR})
