// Internal to wire/: reads what a request says of where it may go, member by member.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "wire/asked_route.h"
#include "wire/json/json_scan.h"
#include "wire/openai/plugins_reader.h"

namespace seekroute {

// The top-level fields `provider`, `models`, `route` and `session_id`, and `zdr` and
// `data_collection`, which are those of `provider`: a wish for privacy at either place holds. A
// null, there or in `provider`, is not given. Not thread-safe.
class RoutingReader {
 public:
  // Of every container and scalar in one of them, the field's own value included. Nothing: it may
  // be there; else why the request is refused.
  std::optional<Error> OnOpen(const JsonPlace& place, JsonType type);
  std::optional<Error> OnScalar(const JsonPlace& place, const JsonValue& value);

  // At the end of one of them: what can only be known then.
  std::optional<Error> OnEnd(const JsonPlace& place, const JsonValue& value);

  // The field `plugins`, whose other plugins are not known here.
  PluginsReader& plugins() { return plugins_; }

  // Something in `provider` is not known here, and has no effect.
  bool has_unknown() const { return has_unknown_; }

  // What was read; null where nothing was. Once.
  std::shared_ptr<const AskedRoute> Take() {
    if (plugins_.has_read()) plugins_.Give(&read());
    return std::move(read_);
  }

 private:
  AskedRoute& read() {
    if (read_ == nullptr) read_ = std::make_shared<AskedRoute>();
    return *read_;
  }
  std::vector<std::string>* ListNamed(std::string_view name);
  std::optional<Error> SetRoute(const JsonPlace& place, const JsonValue& value);
  std::optional<Error> SetPrivacy(const JsonPlace& place, const JsonValue& value);
  std::optional<Error> SetFlag(const JsonPlace& place, const JsonValue& value, bool* flag);
  std::optional<Error> SetInProvider(const JsonPlace& place, const JsonValue& value);
  std::optional<Error> SetSort(const JsonPlace& place, const JsonValue& value);
  std::optional<Error> SetPrice(const JsonPlace& place, const JsonValue& value);
  std::optional<Error> SetCutoff(const JsonPlace& place, const JsonValue& value, Cutoffs* cutoffs);
  std::optional<Error> AddTo(const JsonPlace& place, const JsonValue& value);

  std::shared_ptr<AskedRoute> read_;
  PluginsReader plugins_;
  bool has_unknown_ = false;
};

}  // namespace seekroute
