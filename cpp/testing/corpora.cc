#include "testing/corpora.h"

#include <rapidjson/document.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace seekroute::testing {
namespace {

namespace fs = std::filesystem;

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

rapidjson::Document ReadJson(std::string_view name) {
  rapidjson::Document document;
  const std::string text = ReadFile(fs::path(SharedFolder()) / "corpora" / name);
  document.Parse(text.data(), text.size());
  return document;
}

std::string String(const rapidjson::Value& value) {
  return {value.GetString(), value.GetStringLength()};
}

std::string DecodeBase64(std::string_view text) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  unsigned bits = 0;
  int count = 0;
  for (const char c : text) {
    const size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) break;  // padding
    bits = (bits << 6 | static_cast<unsigned>(value)) & 0xFFFFFF;
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count & 0xFF);
    }
  }
  return out;
}

}  // namespace

std::string SharedFolder() {
  const char* const named = std::getenv("SEEKROUTE_SHARED");  // NOLINT: tests have one thread here
  const fs::path folder =
      named != nullptr ? fs::path(named) : fs::path(SEEKROUTE_SOURCE_DIR).parent_path() / "shared";
  return fs::is_directory(folder / "corpora") ? folder.string() : std::string();
}

std::vector<CorpusFile> ReadCorpus(std::string_view folder) {
  std::vector<CorpusFile> files;
  const std::string shared = SharedFolder();
  if (shared.empty()) return files;
  for (const auto& entry : fs::directory_iterator(fs::path(shared) / "corpora" / folder)) {
    files.push_back({entry.path().filename().string(), ReadFile(entry.path())});
  }
  std::sort(files.begin(), files.end(),
            [](const CorpusFile& a, const CorpusFile& b) { return a.name < b.name; });
  return files;
}

std::vector<SseVector> ReadSseVectors() {
  std::vector<SseVector> vectors;
  if (SharedFolder().empty()) return vectors;
  for (const char* set :
       {"wpt-eventsource", "sse-contract-tests", "eventsource-parser", "sse-own"}) {
    const rapidjson::Document document = ReadJson(std::string(set) + "/vectors.json");
    for (const auto& item : document["vectors"].GetArray()) {
      SseVector vector;
      vector.name = std::string(set) + ": " + String(item["name"]);
      vector.input = DecodeBase64(String(item["input_b64"]));
      for (const auto& event : item["expected"].GetArray()) {
        vector.expected.push_back(
            {String(event["type"]), String(event["data"]), String(event["id"])});
      }
      vectors.push_back(std::move(vector));
    }
  }
  return vectors;
}

std::vector<UpstreamScenario> ReadUpstreamScenarios() {
  std::vector<UpstreamScenario> scenarios;
  if (SharedFolder().empty()) return scenarios;
  const rapidjson::Document document = ReadJson("upstream-faults/scenarios.json");
  for (const auto& item : document["scenarios"].GetArray()) {
    UpstreamScenario scenario;
    scenario.id = String(item["id"]);
    scenario.stream = item["stream"].GetBool();
    scenario.client = String(item["expect"]["client"]);
    for (const auto& step : item["steps"].GetArray()) {
      const std::string kind = String(step[0]);
      if (kind == "head") {
        scenario.has_head = true;
        scenario.status = step[1].GetInt();
        const auto& headers = step[2];
        if (headers.HasMember("Content-Encoding")) {
          scenario.content_encoding = String(headers["Content-Encoding"]);
        }
      } else if (kind == "send" || kind == "bytes1") {
        scenario.bytes += DecodeBase64(String(step[1]));
      }
    }
    scenarios.push_back(std::move(scenario));
  }
  return scenarios;
}

}  // namespace seekroute::testing
