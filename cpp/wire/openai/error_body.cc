#include "wire/openai/error_body.h"

#include "wire/json/json.h"
#include "wire/openai/chat_writer.h"

namespace seekroute {
namespace {

void AppendMember(std::string_view name, std::string_view text, std::string* out) {
  if (out->back() != '{') *out += ',';
  *out += '"';
  *out += name;
  *out += "\":";
  AppendJsonString(text, out);
}

// The profile's word for it, else the provider's own, else the table's.
std::string_view CodeFor(const Error& error, const ErrorWords& words) {
  if (words.code) return *words.code;
  return error.shown_code.empty() ? error.name() : error.shown_code;
}

// {"message","type","param","code","metadata"}
void AppendErrorObject(const Error& error, const Profile& profile, const ErrorPlace& place,
                       std::string* out) {
  const ErrorTraits& traits = TraitsOf(error.code);
  const ErrorWords& words = profile.WordsFor(error.code);
  *out += '{';
  std::string message = words.message ? *words.message : error.message;
  // Where the profile has no `param`, the sentence says which field it is about.
  if (!profile.error_param && !words.message && !error.param.empty()) {
    message.insert(0, error.param + ": ");
  }
  AppendMember("message", message, out);
  AppendMember("type", words.type ? std::string_view(*words.type) : traits.type, out);
  if (profile.error_param) {
    if (error.param.empty()) {
      *out += ",\"param\":null";
    } else {
      AppendMember("param", error.param, out);
    }
  }
  const bool integer_code = profile.integer_code_on_api_v1 && place.api_v1;
  if (integer_code) {
    *out += ",\"code\":" + std::to_string(traits.status);
  } else {
    AppendMember("code", CodeFor(error, words), out);
  }
  if (profile.error_metadata) {
    *out += ",\"metadata\":{";
    AppendMember("error_type", traits.error_type, out);
    AppendMember("request_id", place.request_id, out);
    if (!place.provider.empty()) AppendMember("provider_name", place.provider, out);
    if (error.upstream_status > 0) {
      *out += ",\"provider_code\":" + std::to_string(error.upstream_status);
    }
    // The place of the word is taken by a number.
    if (integer_code && !error.shown_code.empty()) {
      AppendMember("provider_error_code", error.shown_code, out);
    }
    for (const ErrorFact& fact : error.facts) {
      if (fact.quoted) {
        AppendMember(fact.name, fact.value, out);
      } else {
        *out += ",\"" + std::string(fact.name) + "\":" + fact.value;
      }
    }
    *out += '}';
  }
  *out += '}';
}

}  // namespace

std::string WriteErrorBody(const Error& error, const Profile& profile, const ErrorPlace& place) {
  std::string out = "{\"error\":";
  AppendErrorObject(error, profile, place, &out);
  if (!place.routing.empty()) out += ',';
  out += place.routing;
  out += '}';
  return out;
}

std::string WriteErrorEvent(const Error& error, const Profile& profile, const ErrorPlace& place,
                            std::string_view id, std::string_view model, int64_t created) {
  if (!place.api_v1) return "data: " + WriteErrorBody(error, profile, place) + "\n\n";
  AnswerNames names;
  names.id = id;
  names.model = model;
  names.created = created;
  std::string out = "data: {";
  AppendChatHead(names, kChunkObject, &out);
  out += ",\"error\":";
  AppendErrorObject(error, profile, place, &out);
  if (!place.routing.empty()) out += ',';
  out += place.routing;
  out += R"(,"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]})";
  out += "\n\n";
  return out;
}

}  // namespace seekroute
