# Looks for a C++ compiler before CMake does, whose words for its absence name no package.
set(SEEKROUTE_PACKAGES
"  Debian 12, Ubuntu 24.04:  apt-get install g++ libcurl4-openssl-dev libssl-dev libsqlite3-dev rapidjson-dev python3-dev
  Fedora:                   dnf install gcc-c++ libcurl-devel openssl-devel sqlite-devel rapidjson-devel python3-devel
  Alpine:                   apk add g++ linux-headers curl-dev openssl-dev sqlite-dev rapidjson-dev python3-dev
  macOS:                    the core needs Linux (epoll, eventfd): use a virtual machine or a container
")
include(CheckLanguage)
check_language(CXX)
if(NOT CMAKE_CXX_COMPILER)
  message(FATAL_ERROR "seekroute is built from source and needs a C++20 compiler.\n"
    "Install it and the libraries:\n${SEEKROUTE_PACKAGES}")
endif()
enable_language(CXX)
