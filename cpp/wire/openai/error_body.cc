#include "wire/openai/error_body.h"

#include "wire/json/json_writer.h"
#include "wire/openai/chat_writer.h"

namespace seekroute {
namespace {

// The profile's word for it, else the provider's own, else the table's.
std::string_view CodeFor(const Error& error, const ErrorWords& words) {
  if (words.code) return *words.code;
  return error.shown_code.empty() ? error.name() : error.shown_code;
}

// {"message","type","param","code","metadata"}
void WriteErrorObject(const Error& error, const Profile& profile, const ErrorPlace& place,
                      JsonWriter* json) {
  const ErrorTraits& traits = TraitsOf(error.code);
  const ErrorWords& words = profile.WordsFor(error.code);
  json->Object();
  std::string message = words.message ? *words.message : error.message;
  // Where the profile has no `param`, the sentence says which field it is about.
  if (!profile.error_param && !words.message && !error.param.empty()) {
    message.insert(0, error.param + ": ");
  }
  json->Key("message").String(message);
  json->Key("type").String(words.type ? std::string_view(*words.type) : traits.type);
  if (profile.error_param) {
    json->Key("param");
    error.param.empty() ? json->Null() : json->String(error.param);
  }
  const bool integer_code = profile.integer_code_on_api_v1 && place.api_v1;
  json->Key("code");
  integer_code ? json->Integer(traits.status) : json->String(CodeFor(error, words));
  if (profile.error_metadata) {
    json->Key("metadata").Object();
    json->Key("error_type").String(traits.error_type);
    json->Key("request_id").String(place.request_id);
    if (!place.provider.empty()) json->Key("provider_name").String(place.provider);
    if (error.upstream_status > 0) json->Key("provider_code").Integer(error.upstream_status);
    // The place of the word is taken by a number.
    if (integer_code && !error.shown_code.empty()) {
      json->Key("provider_error_code").String(error.shown_code);
    }
    for (const ErrorFact& fact : error.facts) {
      json->KeyOf(fact.name);
      fact.quoted ? json->String(fact.value) : json->Raw(fact.value);
    }
    json->End();
    if (!error.availability.empty()) json->Key("availability").Raw(error.availability);
  }
  json->End();
}

}  // namespace

std::string WriteErrorBody(const Error& error, const Profile& profile, const ErrorPlace& place) {
  std::string out;
  JsonWriter json(&out);
  json.Object().Key("error");
  WriteErrorObject(error, profile, place, &json);
  json.RawMembers(place.routing).End();
  return out;
}

std::string WriteErrorEvent(const Error& error, const Profile& profile, const ErrorPlace& place,
                            std::string_view id, std::string_view model, int64_t created) {
  if (!place.api_v1) return "data: " + WriteErrorBody(error, profile, place) + "\n\n";
  AnswerNames names;
  names.id = id;
  names.model = model;
  names.created = created;
  std::string out = "data: ";
  JsonWriter json(&out);
  json.Object();
  WriteChatHead(names, kChunkObject, &json);
  json.Key("error");
  WriteErrorObject(error, profile, place, &json);
  json.RawMembers(place.routing);
  json.Key("choices").Array().Object();
  json.Key("index").Integer(0);
  json.Key("delta").Object().Key("content").String("").End();
  json.Key("finish_reason").String("error");
  json.End().End().End();
  out += "\n\n";
  return out;
}

}  // namespace seekroute
