// Which tool calls a stream has brought, and at which index each is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace seekroute {

// An entry of `tool_calls`. Value type.
struct SentCall {
  int64_t choice = 0;
  std::string id;
  std::optional<int64_t> index;
  std::string name;       // empty: it has none
  std::string arguments;  // or the input of a tool of its own kind
};

// The tool calls of a stream, up to kMaxCalls a choice, with kMaxIds bytes of ids in all of them.
// Not thread-safe.
class CallNumbers {
 public:
  static constexpr size_t kMaxCalls = 128;
  static constexpr size_t kMaxIds = size_t{64} << 10;
  static constexpr size_t kMaxMoved = 1024;
  static constexpr int64_t kMaxIndex = int64_t{1} << 30;  // so that counting on has room

  CallNumbers() = default;
  // Goes on where `before` stands, of which it copies what it changes, a choice at a time. `before`
  // is not owned, outlives this, and does not change meanwhile.
  explicit CallNumbers(const CallNumbers* before) : before_(before), ids_(before->ids_) {}

  // A call's own index is taken between 0 and kMaxIndex.
  //
  // The index of a call that may lack one. The first id of a call stays. The same id is the same
  // call; an id that was not seen is a new one, and so is a name where the last call has one, and
  // whatever is not `first` in its list; anything else continues the last.
  int64_t Number(const SentCall& call, bool first);
  // The index of a call that is a new one: its own, unless that is taken.
  int64_t Append(const SentCall& call);

  // A call has another id than the one at its index, or no id and a name where that has one; or its
  // index was given away, or stands twice in `calls`. Linear in them.
  bool Contradict(const std::vector<SentCall>& calls) const;
  // What the provider calls `own` is at `index` from now on. Number() and Append() know nothing of
  // it.
  void Move(int64_t choice, int64_t own, int64_t index);
  // Where what the provider calls `own` is; `own` itself where it was not moved.
  int64_t MovedTo(int64_t choice, int64_t own) const;

  // The index of the newest call with that id; nothing where there is none.
  std::optional<int64_t> WithId(int64_t choice, std::string_view id) const;
  // The id of the call at `index`, which may be empty; nothing where there is no call.
  std::optional<std::string_view> IdAt(int64_t choice, int64_t index) const;
  // The call at `index` has a name, or one that is not `name`.
  bool IsNamed(int64_t choice, int64_t index) const;
  bool IsNamedOtherwise(int64_t choice, int64_t index, std::string_view name) const;
  // That of the call touched last; nothing where there is no call.
  std::optional<int64_t> Last(int64_t choice) const;
  // Those of all calls, in order.
  std::vector<int64_t> IndicesOf(int64_t choice) const;

 private:
  struct Call {
    std::string id;
    int64_t index = 0;
    std::optional<size_t> name;  // its hash: names have no bound of their own
  };

  static int64_t NextOf(const std::vector<Call>& calls);
  int64_t Put(std::vector<Call>* calls, const SentCall& call, int64_t index);
  void Identify(Call* call, const std::string& id);
  static void Name(Call* call, const std::string& name);
  const Call* At(int64_t choice, int64_t index) const;
  std::span<const Call> Of(int64_t choice) const;
  std::vector<Call>& CallsOf(int64_t choice);

  const CallNumbers* before_ = nullptr;
  std::map<int64_t, std::vector<Call>> choices_;          // the call touched last is the last
  std::map<std::pair<int64_t, int64_t>, int64_t> moved_;  // by choice and the provider's index
  size_t ids_ = 0;
};

}  // namespace seekroute
