#include "wire/openai/chat_writer.h"

#include "wire/openai/usage_object.h"

namespace seekroute {

void WriteChatHead(const AnswerNames& names, std::string_view object, JsonWriter* json) {
  json->Key("id").String(names.id);
  json->Key("object").String(object);
  json->Key("created").Integer(names.created);
  json->Key("model").String(names.model);
}

void WriteUsageMembers(const UsageReport& report, JsonWriter* json) {
  json->Key("usage");
  WriteUsage(report, json);
  json->RawMembers(report.routing);
}

void AppendUsageChunk(const AnswerNames& names, const UsageReport& report, std::string* out) {
  *out += "data: ";
  JsonWriter json(out);
  json.Object();
  WriteChatHead(names, kChunkObject, &json);
  json.Key("choices").Array().End();
  WriteUsageMembers(report, &json);
  json.End();
  *out += "\n\n";
}

}  // namespace seekroute
