#include "routing/auto/markers.h"

#include <algorithm>
#include <deque>

#include "base/ascii.h"

namespace seekroute {
namespace {

struct Group {
  Marker marker;
  // Separated by '|'. A marker that begins or ends with a letter or a digit is a whole word there,
  // unless '*' stands in that place, which is no part of it.
  std::string_view list;
};

// No marker is longer than 32 bytes, so a scanner has some two thousand states.
constexpr Group kGroups[] = {
    {Marker::kCode,
     "```|def |return|import|#include|class|function|functions|python|javascript|java|c++|sql|"
     "compile|compiler|debug|code|program|algorithm|array|string|integer|boolean|void|null|();|"
     "{ |};|==|!=|&&|std::|printf|print(|console.log|html|css|api|regex|stack trace|exception|"
     "unit test|refactor|bash|linux|docker|git|recursive|pointer|variable|loop"},
    {Marker::kMath,
     "\\frac|\\sqrt|\\int|\\sum|$|^|sqrt|equation|equations|integral|derivative|polynomial|matrix|"
     "theorem|probability|triangle|vector|prime|modulo|mod|sin|cos|tan|log|degree|degrees|"
     "percent|percentage|how many|how much|average|sum of|product of|ratio|solve|calculate|"
     "compute|evaluate|simplify|factor|f(x)|=|*metric|velocity|acceleration|mass|energy|"
     "graph|eigenvalue|isomorphic|subgroup|group|ring|field|kernel|finite|infinite"},
    {Marker::kReasoning,
     "why|because|therefore|thus|hence|prove|proof|derive|explain|analyze|analyse|compare|"
     "contrast|step by step|reason|reasoning|logic|logical|argument|premise|conclusion|infer|"
     "implies|imply|if and only if|assume|suppose|consider|evaluate|justify|trade-off|tradeoffs|"
     "best explains|most likely|most appropriate|best describes|according to|hypothesis|"
     "evidence|cause|causes|consequence|would|should|if|then|must"},
    {Marker::kWriting,
     "write|essay|story|poem|email|letter|blog|article|draft|rewrite|paraphrase|edit|tone|style|"
     "compose|headline|slogan|script|speech|creative|character|dialogue|lyrics|post"},
    {Marker::kExtraction,
     "extract|summarize|summarise|summary|list|identify|classify|categorize|table|json|csv|"
     "find all|passage|the following text|context:|document|refers to the following|"
     "information|based on the|label"},
    {Marker::kRole,
     "you are|act as|pretend|imagine|as an expert|assistant|role|your task|roleplay|persona"},
    {Marker::kNegation,
     "not|never|no|none|except|neither|nor|cannot|without|least|false|incorrect|n't|unlikely"},
    {Marker::kStatements,
     "statement i|statement ii|statement 1|statement 2|i and ii|ii and iii|i, ii|i only|ii only|"
     "iii only|both|all of the above|none of the above|which of the following statements"},
    {Marker::kTranslation,
     "translate|translation|into english|into french|into german|into spanish|into chinese|"
     "into japanese|in french|in german|in spanish|in chinese"},
    {Marker::kTechnical,
     "theory|protein|enzyme|gene|dna|rna|cell|cells|membrane|molecule|reaction|equilibrium|"
     "oxidation|electron|quantum|voltage|current|circuit|frequency|wavelength|network|protocol|"
     "encryption|security|database|distributed|architecture|optimization|complexity|kernel|"
     "gradient|neural|statistical|variance|regression|diagnosis|patient|treatment|syndrome|"
     "clinical|disease|liability|contract|statute|constitutional|plaintiff|defendant|court|"
     "jurisdiction|monetary|elasticity|marginal|inflation|fiscal|interest rate|accounting|"
     "depreciation|utilitarian|metaphysics|epistemology|moral|ethics"},
    {Marker::kSimple,
     "what is|what are|who is|who was|who wrote|when did|when was|where is|which country|capital|"
     "define|definition|means|meaning|known as|called|term|name of|example of|hello|hi|thanks|"
     "thank you|yes or no|true or false|famous|located|most common"},
};

constexpr bool IsWordByte(char c) {
  return IsDigit(c) || IsUpper(c) || IsLower(c) || static_cast<uint8_t>(c) >= 0x80;
}

constexpr bool IsSpaceByte(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

constexpr char Folded(char c) { return IsSpaceByte(c) ? ' ' : LowerCase(c); }

}  // namespace

MarkerScanner::MarkerScanner() {
  // Classes first: a byte that is in no marker leads back to the beginning.
  for (const Group& group : kGroups) {
    for (const char c : group.list) {
      if (c == '|' || c == '*') continue;
      uint8_t& of_byte = classes_[static_cast<uint8_t>(c)];
      if (of_byte == 0) of_byte = static_cast<uint8_t>(class_count_++);
    }
  }
  for (size_t byte = 0; byte < classes_.size(); ++byte) {
    classes_[byte] = classes_[static_cast<uint8_t>(Folded(static_cast<char>(byte)))];
  }
  moves_.assign(class_count_, kNone);
  ending_.assign(1, kNone);
  for (const Group& group : kGroups) {
    std::string_view rest = group.list;
    while (!rest.empty()) {
      const size_t end = std::min(rest.find('|'), rest.size());
      Add(rest.substr(0, end), group.marker);
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  Link();
}

void MarkerScanner::Add(std::string_view text, Marker marker) {
  const bool open_start = text.starts_with('*');
  const bool open_end = text.ends_with('*');
  if (open_start) text.remove_prefix(1);
  if (open_end) text.remove_suffix(1);
  size_t state = 0;
  for (const char c : text) {
    const size_t move = state * class_count_ + classes_[static_cast<uint8_t>(c)];
    if (moves_[move] == kNone) {
      moves_[move] = static_cast<uint16_t>(ending_.size());
      ending_.push_back(kNone);
      moves_.resize(moves_.size() + class_count_, kNone);
    }
    state = moves_[move];
  }
  patterns_.push_back({.marker = marker,
                       .size = static_cast<uint8_t>(text.size()),
                       .whole_start = !open_start && IsWordByte(text.front()),
                       .whole_end = !open_end && IsWordByte(text.back()),
                       .next = ending_[state]});
  ending_[state] = static_cast<uint16_t>(patterns_.size() - 1);
}

// Breadth first, so the state to fall back to, which is less deep, is complete before it is used.
void MarkerScanner::Link() {
  std::vector<uint16_t> fallback(ending_.size(), 0);
  std::deque<uint16_t> waiting;
  for (size_t c = 0; c < class_count_; ++c) {
    uint16_t& move = moves_[c];
    if (move == kNone) {
      move = 0;
    } else {
      waiting.push_back(move);
    }
  }
  while (!waiting.empty()) {
    const size_t state = waiting.front();
    waiting.pop_front();
    const uint16_t behind = fallback[state];
    // What ends in the state to fall back to ends here as well.
    uint16_t* last = &ending_[state];
    while (*last != kNone) last = &patterns_[*last].next;
    *last = ending_[behind];
    for (size_t c = 0; c < class_count_; ++c) {
      uint16_t& move = moves_[state * class_count_ + c];
      const uint16_t instead = moves_[behind * class_count_ + c];
      if (move == kNone) {
        move = instead;
      } else {
        fallback[move] = instead;
        waiting.push_back(move);
      }
    }
  }
}

MarkerCounts MarkerScanner::Count(std::string_view text) const {
  MarkerCounts counts{};
  size_t state = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    state = moves_[state * class_count_ + classes_[static_cast<uint8_t>(text[i])]];
    for (uint16_t each = ending_[state]; each != kNone; each = patterns_[each].next) {
      const Pattern& found = patterns_[each];
      const size_t start = i + 1 - found.size;
      if (found.whole_start && start > 0 && IsWordByte(text[start - 1])) continue;
      if (found.whole_end && i + 1 < text.size() && IsWordByte(text[i + 1])) continue;
      ++counts[static_cast<size_t>(found.marker)];
    }
  }
  return counts;
}

const MarkerScanner& Markers() {
  static const MarkerScanner scanner;
  return scanner;
}

}  // namespace seekroute
