#include "wire/json/cut_members.h"

namespace seekroute {
namespace {

ByteRange WithComma(std::string_view text, ByteRange member) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t next = text.find_first_not_of(kSpace, member.end);
  if (text[next] == ',') return {member.begin, next + 1};
  return {text.find_last_not_of(kSpace, member.begin - 1), member.end};
}

}  // namespace

// Members between which nothing stands but a comma go together.
void CutMembers(std::string_view text, const std::vector<ByteRange>& members, Splice* splice) {
  for (size_t i = 0; i < members.size();) {
    ByteRange run = members[i++];
    while (i < members.size() && text.find_first_not_of(" \t\r\n,", run.end) == members[i].begin) {
      run.end = members[i++].end;
    }
    splice->Replace(WithComma(text, run), {});
  }
}

}  // namespace seekroute
