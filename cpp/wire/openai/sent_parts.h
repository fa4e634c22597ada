// What the choices of a stream have brought so far, as far as odd chunks need to know it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "wire/json/lone_halves.h"
#include "wire/openai/call_numbers.h"

namespace seekroute {

// Output in a member of a delta, or a whole one of structure. Value type.
struct SentPart {
  int64_t choice = 0;
  std::string member;
  std::string text;  // empty: it is no text
  LoneHalves halves;
};

// A part or a picture in a delta, by its PartIdentity. Value type.
struct SentItem {
  int64_t choice = 0;
  uint64_t identity = 0;
};

// Text and calls are kept up to kMaxKept bytes a stream, items up to kMaxItems, whatever the number
// of its choices. What is compared is counted: the work is linear in the bytes of the stream. Not
// thread-safe.
class SentParts {
 public:
  static constexpr size_t kMaxKept = size_t{256} << 10;
  static constexpr size_t kMaxItems = 4096;
  // Bytes that may be looked at for each byte that came, and beside: a stream that ends in one
  // whole message takes less than the latter.
  static constexpr size_t kWorkPerByte = 16;
  static constexpr size_t kFreeWork = 4 * kMaxKept;

  void Add(const SentPart& part);
  void AddItem(const SentItem& item);
  // `index`: as CallNumbers has it.
  void AddCall(const SentCall& call, int64_t index);
  // So many bytes came.
  void AllowFor(size_t bytes) { allowed_ += kWorkPerByte * bytes; }

  // The choice has sent something.
  bool HasAny(int64_t choice) const;
  // Something of that member, or of another that says the same.
  bool Has(int64_t choice, std::string_view member) const;
  // That item, or more items than are kept.
  bool HasItem(int64_t choice, uint64_t identity) const;
  // What `text`, of a whole message, adds to what was sent of the member: all of it where nothing
  // was, or something else; what goes beyond where it begins alike; nothing where it repeats what
  // was sent, or its beginning or end. Spaces around it do not count. Of a member that has sent
  // more than is kept everything is a repetition.
  std::string_view NewText(int64_t choice, std::string_view member, std::string_view text) const;
  // `text` begins with all that was sent of the member, and that is no chance: it came in pieces,
  // or is longer than one says twice. `surely`: both.
  bool BeginsWithAll(int64_t choice, std::string_view member, std::string_view text,
                     bool surely) const;

  // More was sent than is kept, or compared than is allowed for.
  bool IsFull() const { return kept_ > kMaxKept || work_ > allowed_; }
  // The bytes that were looked at to compare.
  size_t work() const { return work_; }
  // The call's name; empty where none was sent.
  std::string_view NameOf(int64_t choice, int64_t index) const;
  // The call has no arguments yet.
  bool SaysNothing(int64_t choice, int64_t index) const;
  // It has some that are no whole JSON, so that more has to follow.
  bool IsOpen(int64_t choice, int64_t index);
  // It has none, or is open.
  bool IsBegun(int64_t choice, int64_t index);
  // Arguments as they are compared: their value, none being an empty object; what is no JSON as it
  // stands.
  struct Spelling {
    std::string text;
    bool is_json = false;
  };
  Spelling Spell(std::string_view arguments);
  // Those that were sent of the call are the same.
  bool HasArguments(int64_t choice, int64_t index, const Spelling& arguments);
  // What `arguments`, of a whole call, add to those that were sent: all of them, what goes beyond,
  // or nothing. Nothing at all where they contradict. Spaces between tokens do not count, nor does,
  // once both are whole, how their value is written.
  std::optional<std::string_view> NewArguments(int64_t choice, int64_t index,
                                               std::string_view arguments);

 private:
  struct Call {
    std::string name, arguments;
    std::optional<Spelling> spelled;  // of the arguments, since they have not grown
  };
  // A text, and what of it stands between white space: looked for once, not with every member that
  // is compared.
  struct Text {
    std::string whole;
    size_t begin = 0;
    size_t end = 0;
    size_t pieces = 0;          // with something in them
    bool is_structure = false;  // there was some beside it
    uint16_t half = 0;          // that it ends in

    void Append(std::string_view text, LoneHalves halves);
    std::string_view Trimmed() const { return std::string_view(whole).substr(begin, end - begin); }
  };
  struct Choice {
    std::map<std::string, Text, std::less<>> members;  // those that say the same are one
    std::map<int64_t, Call> calls;                     // by index
    std::set<uint64_t> items;
  };

  // Once full, it stays so: a text with a gap would be another.
  bool Fits(size_t bytes);
  void Spend(size_t work) { work_ += work; }
  const Text* FindText(int64_t choice, std::string_view member) const;
  const Call* Find(int64_t choice, int64_t index) const;
  Call* Find(int64_t choice, int64_t index);
  const Spelling& SpelledOf(Call* call);

  std::map<int64_t, Choice> choices_;
  size_t kept_ = 0;
  size_t items_ = 0;
  size_t work_ = 0;
  size_t allowed_ = kFreeWork;
};

}  // namespace seekroute
