// Internal to wire/: reads what a request's `plugins` say of how `auto` chooses.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "wire/asked_route.h"
#include "wire/json/json_scan.h"

namespace seekroute {

// OpenRouter's plugin "auto-router": `allowed_models`, `excluded_models`, `cost_tier`, `enabled`.
// What others say, or it says besides, has no effect. Of several of it the last one counts. Not
// thread-safe.
class PluginsReader {
 public:
  // Of every container and scalar in the field, without the field's own value.
  void OnOpen(const JsonPlace& place, JsonType type);
  void OnScalar(const JsonPlace& place, const JsonValue& value);

  // At the end of each plugin: why the request is refused, as only now it is known whose it is.
  std::optional<Error> OnPlugin();

  // There is something that has no effect.
  bool has_unknown() const { return has_unknown_; }
  bool has_read() const { return read_; }

  // Puts what was read into `route`. A strategy that is there already stays.
  void Give(AskedRoute* route);

 private:
  struct Plugin {
    bool is_router = false;
    bool enabled = true;
    bool has_unknown = false;
    bool has_allowed = false;
    std::vector<std::string> allowed, excluded;
    std::optional<AutoStrategy> strategy;
    std::optional<Error> refused;  // what was wrong with it first
  };

  void SetMember(const JsonPlace& place, const JsonValue& value);
  void AddPattern(const JsonPlace& place, const JsonValue& value);
  void Refuse(Error error);

  Plugin plugin_;  // being read
  Plugin router_;  // the last that counts
  bool has_unknown_ = false;
  bool read_ = false;
};

}  // namespace seekroute
