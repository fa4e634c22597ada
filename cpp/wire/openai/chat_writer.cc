#include "wire/openai/chat_writer.h"

#include "wire/json/json.h"
#include "wire/openai/usage_object.h"

namespace seekroute {

void AppendChatHead(const AnswerNames& names, std::string_view object, std::string* out) {
  *out += "\"id\":";
  AppendJsonString(names.id, out);
  *out += ",\"object\":";
  AppendJsonString(object, out);
  *out += ",\"created\":" + std::to_string(names.created) + ",\"model\":";
  AppendJsonString(names.model, out);
}

std::string UsageMembers(const UsageReport& report) {
  std::string members = "\"usage\":" + WriteUsage(report);
  if (!report.routing.empty()) members += ',' + report.routing;
  return members;
}

void AppendUsageChunk(const AnswerNames& names, std::string_view members, std::string* out) {
  *out += "data: {";
  AppendChatHead(names, kChunkObject, out);
  *out += ",\"choices\":[],";
  *out += members;
  *out += "}\n\n";
}

}  // namespace seekroute
