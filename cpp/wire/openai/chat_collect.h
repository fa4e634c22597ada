// The chunks of a stream as a whole chat completion.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace seekroute {

// Puts the chunks of a stream together. What is text grows, a character that two chunks share the
// halves of included; lists get longer, tool calls and reasoning details are put together by their
// index; of everything else the last that is not null counts. Lists of sources and pictures, and
// those beside the choices, are told again by many providers: what is in them already is not added.
// Thinking under two names is one text, which both have. A choice without an index is the one of
// its position in its chunk. Not thread-safe.
class ChatCollector {
 public:
  // `max_bytes` bounds what is kept, with an allowance for each value. The work is linear in what
  // is added: members and items are looked up one by one, and so often as a byte allows.
  explicit ChatCollector(size_t max_bytes);
  ~ChatCollector();

  // Takes whole events as ChatStream writes them. Fails with kAnswerTooLarge when the answer
  // is too large, or has members or items without end. Nothing may be added then.
  Status Add(std::string_view events);

  // The chat completion: object "chat.completion", each choice with a message, no usage. Once.
  std::string Write();

 private:
  struct Node;
  struct Member;
  class Sink;

  static Node TextPart(Node text);
  void Merge(Node* into, Node* from, std::string_view key, bool beside_choices = false);
  void MergeList(Node* into, Node* from, std::string_view key, bool beside_choices);
  void Append(Node* text, const Node& more);
  bool Knows(const Node& list, size_t size, const Node& item, size_t position);
  void MergeItem(Node* list, Node* item);
  void Spend(size_t looks);
  bool Fits() const { return size_ <= max_bytes_ && looks_left_ > 0; }

  const size_t max_bytes_;
  size_t size_ = 0;
  size_t looks_left_;
  std::unique_ptr<Node> whole_;
};

}  // namespace seekroute
