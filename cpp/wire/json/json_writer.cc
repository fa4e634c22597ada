#include "wire/json/json_writer.h"

namespace seekroute {

JsonWriter JsonWriter::Members(std::string* out) {
  JsonWriter writer(out);
  writer.is_object_.set(0);
  writer.depth_ = writer.base_depth_ = 1;
  return writer;
}

void JsonWriter::Separate() {
  if (has_before_) *out_ += ',';
  has_before_ = true;
}

bool JsonWriter::BeginValue() {
  if (dropped_ > 0) return false;
  if (in_object()) {
    if (!has_key_) return false;
    has_key_ = false;
    return true;
  }
  if (depth_ == 0 && has_before_) return false;
  Separate();
  return true;
}

JsonWriter& JsonWriter::Open(char bracket) {
  if (dropped_ > 0 || depth_ == kMaxJsonDepth || !BeginValue()) {
    ++dropped_;
    return *this;
  }
  is_object_.set(static_cast<size_t>(depth_++), bracket == '{');
  has_before_ = false;
  *out_ += bracket;
  return *this;
}

JsonWriter& JsonWriter::End() {
  if (dropped_ > 0) {
    --dropped_;
    return *this;
  }
  if (depth_ == base_depth_) return *this;
  if (has_key_) Null();
  *out_ += in_object() ? '}' : ']';
  --depth_;
  has_before_ = true;
  return *this;
}

bool JsonWriter::BeginKey() {
  if (dropped_ > 0 || !in_object() || has_key_) return false;
  Separate();
  has_key_ = true;
  return true;
}

JsonWriter& JsonWriter::Key(JsonName name) {
  if (!BeginKey()) return *this;
  *out_ += '"';
  *out_ += name.text();
  *out_ += "\":";
  return *this;
}

JsonWriter& JsonWriter::KeyOf(std::string_view name) {
  if (!BeginKey()) return *this;
  AppendJsonString(name, out_);
  *out_ += ':';
  return *this;
}

JsonWriter& JsonWriter::String(std::string_view text) {
  if (BeginValue()) AppendJsonString(text, out_);
  return *this;
}

JsonWriter& JsonWriter::Raw(std::string_view json) {
  if (BeginValue()) *out_ += json;
  return *this;
}

JsonWriter& JsonWriter::RawMembers(std::string_view members) {
  if (members.empty() || dropped_ > 0 || !in_object() || has_key_) return *this;
  Separate();
  *out_ += members;
  return *this;
}

}  // namespace seekroute
