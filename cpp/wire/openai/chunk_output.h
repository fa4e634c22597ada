// Internal to wire/: the output of one choice of a chunk, as its text is changed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/json/json_scan.h"
#include "wire/json/json_writer.h"
#include "wire/openai/sent_parts.h"

namespace seekroute {

// What stands in the place of a range of a text; an empty range is a place. Value type.
struct TextEdit {
  ByteRange range;
  std::string with;
};

// An element of a list of parts or pictures. Value type.
struct OutputItem {
  ByteRange whole;
  uint64_t identity = 0;             // see PartIdentity
  std::optional<ByteRange> text_at;  // of a part that is text: its string, quotes included
  std::string text;                  // decoded
};

// A member of a delta or a message. Value type.
struct OutputMember {
  std::string name;
  std::string text;  // of a string, decoded
  ByteRange key;
  ByteRange value;
  JsonType type = JsonType::kNull;
  std::vector<OutputItem> items;
};

// A tool call, and where its index is or is missing. Value type.
struct OutputCall {
  SentCall call;
  std::string holder = "function", member = "arguments";  // the names under which it has these
  std::optional<ByteRange> index;                         // the value, of any type
  bool is_numbered = false;                               // it is written as an integer
  std::optional<ByteRange> id;                            // the value, of a string
  ByteRange whole;
  bool is_empty = true;
};

// Of a choice's `delta` or `message`. Value type.
struct ChunkOutput {
  std::vector<OutputMember> members;
  std::vector<OutputCall> calls;
};

// Gives the call that index.
inline TextEdit Numbered(const OutputCall& found, int64_t index) {
  if (found.index) return {*found.index, std::to_string(index)};
  const size_t inside = found.whole.begin + 1;
  TextEdit edit{{inside, inside}, {}};
  JsonWriter::Members(&edit.with).Key("index").Integer(index);
  if (!found.is_empty) edit.with += ',';
  return edit;
}

}  // namespace seekroute
