// Command-line options of the benchmark programs: --name value, in any order.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net.h"

namespace seekroute::bench {

// Ends the program with one line on anything that is not `--name value`. Not thread-safe.
class Options {
 public:
  Options(int argc, char** argv) {
    for (int i = 1; i < argc; i += 2) {
      const std::string_view name = argv[i];
      if (!name.starts_with("--") || i + 1 >= argc) {
        Die("expected --name value, found " + std::string(name));
      }
      given_.emplace_back(name.substr(2), argv[i + 1]);
    }
  }

  // The last value given, or the default.
  std::string Text(const std::string& name, const std::string& otherwise) {
    known_.insert(name);
    std::string found = otherwise;
    for (const auto& [given, value] : given_) {
      if (given == name) found = value;
    }
    return found;
  }

  int64_t Int(const std::string& name, int64_t otherwise) {
    const std::string text = Text(name, std::to_string(otherwise));
    char* end = nullptr;
    const int64_t value = std::strtoll(text.c_str(), &end, 10);
    if (text.empty() || *end != '\0' || value < 0) {
      Die("--" + name + ": expected a whole number, found " + text);
    }
    return value;
  }

  // Every value of an option that may be repeated.
  std::vector<std::string> All(const std::string& name) {
    known_.insert(name);
    std::vector<std::string> values;
    for (const auto& [given, value] : given_) {
      if (given == name) values.push_back(value);
    }
    return values;
  }

  // Call after the last read: a misspelt option must not pass as a default.
  void RefuseUnknown() const {
    for (const auto& [given, value] : given_) {
      if (!known_.contains(given)) Die("unknown option --" + given);
    }
  }

 private:
  std::vector<std::pair<std::string, std::string>> given_;
  std::set<std::string> known_;
};

}  // namespace seekroute::bench
