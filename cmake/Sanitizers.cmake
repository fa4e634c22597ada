if(SEEKROUTE_SANITIZE)
  add_compile_options(-fsanitize=${SEEKROUTE_SANITIZE} -fno-omit-frame-pointer -g
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SEEKROUTE_SANITIZE})
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
endif()
