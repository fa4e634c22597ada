#include "wire/openai/routing_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "wire/openai/chat_surface.h"
#include "wire/openai/embeddings_request.h"
#include "wire/openai/parsed_chat.h"
#include "wire/openai/upstream_chat.h"
#include "wire/protocols/protocols.h"

namespace seekroute {
namespace {

std::string With(const std::string& members) {
  return R"({"model":"m",)" + members + R"(,"messages":[{"role":"user","content":"Hi"}]})";
}

Result<std::unique_ptr<const ParsedRequest>> Read(const std::string& members) {
  return SurfaceOf(SurfaceId::kChat).Read(With(members), Profile(), {});
}

AskedRoute Asked(const std::string& members) {
  const auto read = Read(members);
  EXPECT_TRUE(read.has_value()) << members;
  if (!read || (*read)->ask.route == nullptr) return {};
  return *(*read)->ask.route;
}

// The `param` of what is refused.
std::string Refused(const std::string& members, ErrorCode code = ErrorCode::kInvalidValue) {
  const auto read = Read(members);
  EXPECT_FALSE(read.has_value()) << members;
  if (read) return "";
  EXPECT_EQ(read.error().code, code) << members;
  return read.error().param;
}

TEST(RoutingReader, ReadsWhatARequestSays) {
  const AskedRoute asked = Asked(
      R"("provider":{"order":["Groq","nebius/FP8","groq"],"only":["a"],"ignore":[],)"
      R"("allow_fallbacks":false,"require_parameters":true,"data_collection":"deny","zdr":true,)"
      R"("regions":["EU","us"],"quantizations":["fp8","unknown"],"sort":{"by":"latency","partition":"none"},)"
      R"("max_price":{"prompt":0.5,"completion":"1e-6","request":0,"image":1000000},)"
      R"("preferred_min_throughput":50,"preferred_max_latency":{"p50":1.5,"p99":9}},)"
      R"("models":["b","c"],"route":"fallback","session_id":"s")");
  EXPECT_EQ(asked.order, (std::vector<std::string>{"groq", "nebius/fp8"}));
  EXPECT_EQ(asked.only, std::vector<std::string>{"a"});
  EXPECT_TRUE(asked.ignore.empty());
  EXPECT_FALSE(asked.allow_fallbacks);
  EXPECT_TRUE(asked.require_parameters && asked.deny_data_collection && asked.zdr);
  EXPECT_EQ(asked.regions, (std::vector<std::string>{"eu", "us"}));
  EXPECT_EQ(asked.quantizations, (std::vector<std::string>{"fp8", "unknown"}));
  EXPECT_EQ(asked.sort, RouteSort::kLatency);
  EXPECT_EQ(asked.partition, Partition::kNone);
  EXPECT_EQ(asked.max_price.prompt, 500'000'000'000);
  EXPECT_EQ(asked.max_price.completion, 1'000'000);
  EXPECT_EQ(asked.max_price.request, 0);
  EXPECT_EQ(asked.max_price.image, 1'000'000'000'000'000'000);
  EXPECT_EQ(asked.min_throughput.at, (std::array<double, 4>{50, 0, 0, 0}));
  EXPECT_EQ(asked.max_latency.at, (std::array<double, 4>{1.5, 0, 0, 9}));
  EXPECT_EQ(asked.models, (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ(asked.session_id, "s");
}

TEST(RoutingReader, ReadsHowAModelIsToBeChosen) {
  EXPECT_EQ(Asked(R"("route":"auto/latency")").strategy, AutoStrategy::kLatency);
  EXPECT_EQ(Asked(R"("route":"fallback")").strategy, std::nullopt);
  const AskedRoute asked =
      Asked(R"("plugins":[{"id":"web","allowed_models":7},{"allowed_models":["A/*","b"],)"
            R"("excluded_models":["C/d"],"cost_tier":"low","pin_model":true,"id":"auto-router"}])");
  EXPECT_TRUE(asked.has_allowed_models);
  EXPECT_EQ(asked.allowed_models, (std::vector<std::string>{"a/*", "b"}));
  EXPECT_EQ(asked.excluded_models, std::vector<std::string>{"c/d"});
  EXPECT_EQ(asked.strategy, AutoStrategy::kCost);
  // Of both, what is said in the request's own word.
  const std::string tier = R"("plugins":[{"id":"auto-router","cost_tier":"low"}])";
  EXPECT_EQ(Asked(R"("route":"auto/quality",)" + tier).strategy, AutoStrategy::kQuality);
  EXPECT_EQ(Asked(tier + R"(,"route":"auto/quality")").strategy, AutoStrategy::kQuality);
  const AskedRoute bare = Asked(R"("plugins":[{"id":"auto-router","allowed_models":null}])");
  EXPECT_FALSE(bare.has_allowed_models);
  EXPECT_TRUE(Asked(R"("plugins":[{"id":"auto-router","allowed_models":[]}])").has_allowed_models);
}

// Of others nothing is known, so nothing is refused.
TEST(RoutingReader, RefusesOnlyWhatTheRoutersPluginSays) {
  const ErrorCode type = ErrorCode::kInvalidType;
  const auto refused = [](const std::string& members, ErrorCode code) {
    // Whether its name stands before or behind.
    const std::string first =
        Refused(R"("plugins":[1,{"id":"auto-router",)" + members + "}]", code);
    EXPECT_EQ(Refused(R"("plugins":[1,{)" + members + R"(,"id":"auto-router"}])", code), first);
    EXPECT_EQ(Asked(R"("plugins":[{"id":"web",)" + members + "}]").strategy, std::nullopt);
    EXPECT_EQ(Asked(R"("plugins":[{"id":"auto-router","enabled":false,)" + members + "}]").strategy,
              std::nullopt);
    return first;
  };
  EXPECT_EQ(refused(R"("allowed_models":"a/*")", type), "plugins[1].allowed_models");
  EXPECT_EQ(refused(R"("allowed_models":{"a":[]})", type), "plugins[1].allowed_models");
  EXPECT_EQ(refused(R"("excluded_models":["a",1])", type), "plugins[1].excluded_models[1]");
  EXPECT_EQ(refused(R"("excluded_models":[["a"]])", type), "plugins[1].excluded_models[0]");
  const ErrorCode value = ErrorCode::kInvalidValue;
  EXPECT_EQ(refused(R"("excluded_models":[""])", value), "plugins[1].excluded_models[0]");
  EXPECT_EQ(refused(R"("allowed_models":[")" + std::string(129, 'a') + "\"]", value),
            "plugins[1].allowed_models[0]");
  std::string many;
  for (int i = 0; i < 65; ++i) many += (i == 0 ? "\"a" : ",\"a") + std::to_string(i) + '"';
  EXPECT_EQ(refused(R"("allowed_models":[)" + many + "]", value), "plugins[1].allowed_models[64]");
  EXPECT_EQ(refused(R"("cost_tier":"none")", value), "plugins[1].cost_tier");
  EXPECT_EQ(Refused(R"("plugins":[{"id":"auto-router","enabled":"no"}])", type),
            "plugins[0].enabled");
}

TEST(RoutingReader, TellsWhichPluginsHaveNoEffect) {
  const auto ignored = [](const std::string& plugins) {
    const auto read = Read(R"("plugins":)" + plugins);
    EXPECT_TRUE(read.has_value()) << plugins;
    const auto& names = static_cast<const ParsedChat&>(**read).chat.ignored;
    return std::find(names.begin(), names.end(), "plugins") != names.end();
  };
  EXPECT_FALSE(ignored(R"([{"id":"auto-router","allowed_models":["a"]}])"));
  EXPECT_FALSE(ignored("[]"));
  EXPECT_TRUE(ignored(R"([{"id":"auto-router","pin_model":false}])"));
  EXPECT_TRUE(ignored(R"([{"id":"auto-router"},{"id":"web"}])"));
  EXPECT_TRUE(ignored(R"([["auto-router"]])"));
  EXPECT_TRUE(ignored(R"("auto-router")"));
}

TEST(RoutingReader, TakesNullForNothing) {
  EXPECT_EQ((*Read(R"("provider":null,"models":null,"route":null,"session_id":null)"))->ask.route,
            nullptr);
  const AskedRoute asked = Asked(R"("provider":{"order":null,"sort":null,"max_price":null,)"
                                 R"("allow_fallbacks":null,"preferred_max_latency":null})");
  EXPECT_TRUE(asked.allow_fallbacks);
  EXPECT_FALSE(asked.has_order);
  EXPECT_EQ((*Read(R"("temperature":1)"))->ask.route, nullptr);
}

TEST(RoutingReader, NamesThePathOfWhatItRefuses) {
  const ErrorCode type = ErrorCode::kInvalidType;
  EXPECT_EQ(Refused(R"("models":[])"), "models");
  EXPECT_EQ(Refused(R"("models":["1","2","3","4","5","6","7","8","9"])"), "models");
  EXPECT_EQ(Refused(R"("models":"a")", type), "models");
  EXPECT_EQ(Refused(R"("models":[1])", type), "models[0]");
  EXPECT_EQ(Refused(R"("models":[["a"]])", type), "models[0]");
  EXPECT_EQ(Refused(R"("route":"fastest")"), "route");
  EXPECT_EQ(Refused(R"("route":{})", type), "route");
  EXPECT_EQ(Refused(R"("session_id":"")"), "session_id");
  EXPECT_EQ(Refused(R"("session_id":")" + std::string(257, 'x') + '"'), "session_id");
  EXPECT_EQ(Refused(R"("session_id":1)", type), "session_id");
  EXPECT_EQ(Refused(R"("provider":["a"])", type), "provider");
  EXPECT_EQ(Refused(R"("provider":"a")", type), "provider");
  EXPECT_EQ(Refused(R"("provider":{"order":"a"})", type), "provider.order");
  EXPECT_EQ(Refused(R"("provider":{"order":[1]})", type), "provider.order[0]");
  EXPECT_EQ(Refused(R"("provider":{"order":[{}]})", type), "provider.order[0]");
  EXPECT_EQ(Refused(R"("provider":{"zdr":"yes"})", type), "provider.zdr");
  EXPECT_EQ(Refused(R"("provider":{"zdr":{}})", type), "provider.zdr");
  EXPECT_EQ(Refused(R"("provider":{"data_collection":"maybe"})"), "provider.data_collection");
  EXPECT_EQ(Refused(R"("provider":{"quantizations":["fp7"]})"), "provider.quantizations[0]");
  EXPECT_EQ(Refused(R"("provider":{"ZDR":true})"), "provider.ZDR");
  EXPECT_EQ(Refused(R"("provider":{"Only":["a"]})"), "provider.Only");
  EXPECT_EQ(Refused(R"("provider":{"Max_Price":{"prompt":1}})"), "provider.Max_Price");
  EXPECT_EQ(Refused(R"("provider":{"sort":"name"})"), "provider.sort");
  EXPECT_EQ(Refused(R"("provider":{"sort":{"partition":"all"}})"), "provider.sort.partition");
  EXPECT_EQ(Refused(R"("provider":{"sort":[]})", type), "provider.sort");
  EXPECT_EQ(Refused(R"("provider":{"preferred_max_latency":{"p95":1}})"),
            "provider.preferred_max_latency.p95");
  EXPECT_EQ(Refused(R"("provider":{"preferred_min_throughput":0})"),
            "provider.preferred_min_throughput");
}

TEST(RoutingReader, HoldsPricesToTwelveDecimals) {
  const auto price = [](const std::string& amount) {
    return R"("provider":{"max_price":{"prompt":)" + amount + "}}";
  };
  EXPECT_EQ(Asked(price("0.000000000001")).max_price.prompt, 1);
  EXPECT_EQ(Asked(price("1.000000000000000")).max_price.prompt, 1'000'000'000'000);
  EXPECT_EQ(Asked(price("-0")).max_price.prompt, 0);
  for (const char* const amount :
       {"-1", "0.0000000000001", "1000000.1", "1e300", R"("NaN")", R"("")", R"("1 ")", R"("-1")"}) {
    EXPECT_EQ(Refused(price(amount)), "provider.max_price.prompt") << amount;
  }
  EXPECT_EQ(Refused(R"("provider":{"max_price":{"audio":1}})"), "provider.max_price.audio");
  EXPECT_EQ(Refused(R"("provider":{"max_price":1})", ErrorCode::kInvalidType),
            "provider.max_price");
}

// What reaches a provider of a request with all of them is the rest, byte for byte.
TEST(RoutingReader, SendsNoneOfIt) {
  const std::string body =
      R"({"provider":{"order":["a"]},"model":"m" ,"models":["b"], "seed":7,"route":"fallback",)"
      R"("session_id":"s","zdr":true,"data_collection":"deny","prompt_cache_key":"k","messages":[{"role":"user","content":"Hi"}]})";
  const auto read = SurfaceOf(SurfaceId::kChat).Read(body, Profile(), {});
  ASSERT_TRUE(read.has_value());
  const ChatRequest& chat = static_cast<const ParsedChat&>(**read).chat;
  EXPECT_TRUE(chat.ignored.empty());
  EXPECT_EQ(BuildUpstreamChat(body, chat, "u"),
            R"({"model":"u" , "seed":7,)"
            R"("prompt_cache_key":"k","messages":[{"role":"user","content":"Hi"}]})");
}

TEST(RoutingReader, NamesWhatIsNotKnownThere) {
  const auto read = Read(R"("provider":{"order":["a"],"experimental":{"x":[1]}})");
  ASSERT_TRUE(read.has_value());
  const ChatRequest& chat = static_cast<const ParsedChat&>(**read).chat;
  EXPECT_EQ(chat.ignored, std::vector<std::string_view>{"provider"});
}

TEST(RoutingReader, ReadsThemOfEmbeddingsAsWell) {
  const std::string body =
      R"({"model":"m","input":"Hi","provider":{"only":["a"]},"models":["b"],"session_id":"s"})";
  const auto read = ReadEmbeddings(body, {});
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ((*read)->ask.route->only, std::vector<std::string>{"a"});
  EXPECT_EQ((*read)->unsent.size(), 3u);
  EXPECT_TRUE((*read)->ignored.empty());
  EXPECT_EQ(ReadEmbeddings(R"({"model":"m","input":"Hi","models":[]})", {}).error().param,
            "models");
}

// Where some clients put them. Nobody's wish for privacy is undone by the other place.
TEST(RoutingReader, ReadsPrivacyAtTheTopToo) {
  EXPECT_TRUE(Asked(R"("zdr":true)").zdr);
  EXPECT_TRUE(Asked(R"("data_collection":"deny")").deny_data_collection);
  EXPECT_FALSE(Asked(R"("zdr":false,"data_collection":"allow")").zdr);
  EXPECT_FALSE(Asked(R"("zdr":null,"data_collection":null)").deny_data_collection);
  for (
      const char* const members :
      {R"("zdr":true,"data_collection":"deny","provider":{"zdr":false,"data_collection":"allow"})",
       R"("provider":{"zdr":false,"data_collection":"allow"},"zdr":true,"data_collection":"deny")",
       R"("provider":{"zdr":true,"data_collection":"deny"},"zdr":false,"data_collection":"allow")"}) {
    const AskedRoute asked = Asked(members);
    EXPECT_TRUE(asked.zdr && asked.deny_data_collection) << members;
  }
  const ErrorCode type = ErrorCode::kInvalidType;
  EXPECT_EQ(Refused(R"("zdr":"yes")", type), "zdr");
  EXPECT_EQ(Refused(R"("zdr":{})", type), "zdr");
  EXPECT_EQ(Refused(R"("data_collection":true)", type), "data_collection");
  EXPECT_EQ(Refused(R"("data_collection":["deny"])", type), "data_collection");
  EXPECT_EQ(Refused(R"("data_collection":"maybe")"), "data_collection");
  const std::string body =
      R"({"model":"m","input":"Hi","zdr":true,"data_collection":"deny","user":"u"})";
  const auto embeddings = ReadEmbeddings(body, {});
  ASSERT_TRUE(embeddings.has_value());
  EXPECT_TRUE((*embeddings)->ask.route->zdr && (*embeddings)->ask.route->deny_data_collection);
  EXPECT_EQ((*embeddings)->unsent.size(), 2u);
  EXPECT_TRUE((*embeddings)->ignored.empty());
}

TEST(RoutingReader, KnowsWhatARequestNeeds) {
  const auto wants = [](const std::string& members) {
    std::string names;
    for (int i = 0; i < kTraitCount; ++i) {
      if (!(*Read(members))->ask.wants.Has(static_cast<size_t>(i))) continue;
      names += (names.empty() ? "" : " ") + std::string(kTraitNames[static_cast<size_t>(i)]);
    }
    return names;
  };
  EXPECT_EQ(wants(R"("temperature":1)"), "");
  EXPECT_EQ(wants(R"("tools":[],"logprobs":false,"n":1,"reasoning_effort":"none")"), "");
  EXPECT_EQ(wants(R"("tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"auto")"),
            "tools");
  EXPECT_EQ(wants(R"("tool_choice":"required")"), "tool_choice");
  EXPECT_EQ(wants(R"("tool_choice":{"type":"function","function":{"name":"f"}})"), "tool_choice");
  EXPECT_EQ(wants(R"("response_format":{"type":"json_schema","json_schema":{}})"),
            "structured_output");
  EXPECT_EQ(wants(R"("response_format":{"type":"text"})"), "");
  EXPECT_EQ(wants(R"("n":2,"logprobs":true)"), "logprobs choices");
  EXPECT_EQ(wants(R"("reasoning":{"effort":"high"})"), "reasoning");
  EXPECT_EQ(wants(R"("modalities":["text","audio"])"), "audio_output");
}

TEST(RoutingReader, KnowsWhichParametersWereSent) {
  const auto names_of = [](const std::string& members) {
    std::string names;
    ParameterSet sent = (*Read(members))->ask.parameters;
    for (; !sent.IsEmpty(); sent.Remove(sent.first())) {
      names += std::string(kParameterNames[sent.first()]) + ' ';
    }
    return names;
  };
  EXPECT_EQ(names_of(R"("seed":1,"top_p":null,"stop":"x","unknown":1,"logprobs":true)"),
            "seed stop logprobs ");
  EXPECT_EQ(names_of(R"("logprobs":false)"), "");
  EXPECT_EQ(names_of(R"("parallel_tool_calls":false)"), "parallel_tool_calls ");  // on by default
}

}  // namespace
}  // namespace seekroute
