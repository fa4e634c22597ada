#include "testing/corpora.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "wire/json/json_scan.h"

namespace seekroute::testing {
namespace {

namespace fs = std::filesystem;

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// A JSON value as a tree. (RapidJSON's own is undefined behaviour to UBSan.)
struct Json {
  std::string key;   // in an object
  std::string text;  // of a string or a number
  std::vector<Json> items;

  const Json& operator[](std::string_view name) const {
    static const Json kNone;
    const auto found = std::find_if(items.begin(), items.end(),
                                    [&](const Json& item) { return item.key == name; });
    return found == items.end() ? kNone : *found;
  }
};

class TreeSink : public JsonSink {
 public:
  Step OnOpen(const JsonPlace& place, JsonType) override {
    open_.push_back({KeyAt(place), {}, {}});
    return Step::kEnter;
  }
  bool OnClose(const JsonPlace&, const JsonValue&) override {
    Json done = std::move(open_.back());
    open_.pop_back();
    Add(std::move(done));
    return true;
  }
  bool OnScalar(const JsonPlace& place, const JsonValue& value) override {
    Add({KeyAt(place), value.type == JsonType::kTrue ? "true" : std::string(value.text), {}});
    return true;
  }

  Json root;

 private:
  static std::string KeyAt(const JsonPlace& place) {
    return place.in_object() ? std::string(place.key()) : std::string();
  }
  void Add(Json value) {
    if (open_.empty()) {
      root = std::move(value);
    } else {
      open_.back().items.push_back(std::move(value));
    }
  }

  std::vector<Json> open_;
};

Json ReadJson(std::string_view name) {
  TreeSink sink;
  const Status read =
      ScanJson(ReadFile(fs::path(SharedFolder()) / "corpora" / name), JsonKeys::kUnique, &sink);
  return read ? std::move(sink.root) : Json();
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

std::string ReadSource(std::string_view path) {
  return ReadFile(fs::path(SEEKROUTE_SOURCE_DIR) / path);
}

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
    const Json document = ReadJson(std::string(set) + "/vectors.json");
    for (const auto& item : document["vectors"].items) {
      SseVector vector;
      vector.name = std::string(set) + ": " + item["name"].text;
      vector.input = DecodeBase64(item["input_b64"].text);
      for (const auto& event : item["expected"].items) {
        vector.expected.push_back({event["type"].text, event["data"].text});
      }
      vectors.push_back(std::move(vector));
    }
  }
  return vectors;
}

std::vector<UpstreamScenario> ReadUpstreamScenarios() {
  std::vector<UpstreamScenario> scenarios;
  if (SharedFolder().empty()) return scenarios;
  const Json document = ReadJson("upstream-faults/scenarios.json");
  for (const auto& item : document["scenarios"].items) {
    UpstreamScenario scenario;
    scenario.id = item["id"].text;
    scenario.stream = item["stream"].text == "true";
    scenario.client = item["expect"]["client"].text;
    for (const auto& step : item["steps"].items) {
      const std::string kind = step.items[0].text;
      if (kind == "head") {
        scenario.has_head = true;
        scenario.status = std::stoi(step.items[1].text);
        scenario.content_encoding = step.items[2]["Content-Encoding"].text;
      } else if (kind == "send" || kind == "bytes1") {
        scenario.bytes += DecodeBase64(step.items[1].text);
      }
    }
    scenarios.push_back(std::move(scenario));
  }
  return scenarios;
}

}  // namespace seekroute::testing
