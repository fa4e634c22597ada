// What can be asked for and who serves it at what price: immutable tables, exact names only.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "catalog/price.h"
#include "wire/ask.h"
#include "wire/dialect.h"
#include "wire/request_form.h"
#include "wire/traits.h"

namespace seekroute {

// Hash that lets a string map be asked with a string_view without a copy.
struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
};
template <typename T>
using StringMap = std::unordered_map<std::string, T, StringHash, std::equal_to<>>;

// How long a call may take at an endpoint; a zero says nothing: the gateway's own value holds. None
// is below a second, the grain of the engine's timers.
struct CallTimeouts {
  Duration first_byte;     // until a stream's head
  Duration first_content;  // until its content, or while comments alone come
  Duration idle;           // without any byte once content has begun
  Duration total;  // of one attempt; of the exchange where no endpoint of the model has more
};

// An endpoint's value, or the gateway's where that is zero.
constexpr Duration OwnOr(Duration own, Duration gateway) { return own.ns > 0 ? own : gateway; }

// Which endpoint it is, across snapshots and restarts: the first eight bytes of a SHA-256 over
// provider, upstream model, region and quantization, a zero byte between each two.
using EndpointId = uint64_t;
EndpointId EndpointIdOf(std::string_view provider, std::string_view upstream_model,
                        std::string_view region, std::string_view quantization);

// What a provider does with what it is sent.
struct DataPolicy {
  Known collects = Known::kUnknown;  // it may keep it, or train on it
  Known zdr = Known::kUnknown;       // it promises to keep nothing
};

// The quantization of an endpoint that says none.
inline constexpr std::string_view kUnknownQuantization = "unknown";

// One provider's offer of one model. Immutable.
struct Endpoint {
  uint32_t provider = 0;                    // index into the snapshot's providers
  std::string upstream_model;               // the provider's own name for it
  std::shared_ptr<const PriceTable> price;  // never null in a Catalog
  RequestForm form = {};
  CallTimeouts timeouts = {};
  bool cap_excludes_reasoning = false;  // thinking comes beside the answer that its cap bounds
  int64_t max_reasoning = 0;            // tokens of thinking of one choice; 0: unknown
  bool thinks_if_asked = false;         // and not at all where the request does not ask for it
  int64_t context = 0;                  // tokens; 0: the model's
  int64_t max_output = 0;               // tokens of one answer; 0: the model's
  DialectId dialect = DialectId::kOpenAiChat;
  // Of its dialect (DialectTraits), for those who weigh a request without it.
  NeedSet lacks = {};        // what it cannot do
  bool token_answer = true;  // an answer is made of tokens, and charged by them
  int64_t pieces = 0;        // pictures of one choice
  bool one_context = true;   // a context holds a whole request; else each of its inputs

  EndpointId id = 0;
  // As clients name it: the provider, and behind a slash its quantization and region, so far as it
  // has them: "groq", "nebius/fp8-eu".
  std::string tag = {};
  std::string region = {};        // empty: unknown
  std::string quantization = {};  // never empty in a Catalog
  DataPolicy data = {};
  double weight = 1;           // of its place in the order; 0: after all others
  TraitSet offers = {};        // what it is known to have...
  TraitSet lacks_traits = {};  // ...and not to have
  ParameterSet takes = {};     // the parameters that it is known to take
};

// Makes an endpoint one of that dialect, with what those are like.
void SetDialect(DialectId dialect, Endpoint* endpoint);

// A provider that offers the model and is not asked. Immutable.
struct Exclusion {
  std::string provider;
  std::string reason;  // one word for clients: "no_key", "disabled"
};

// Immutable.
struct Model {
  std::string id;                   // "author/slug"
  bool other_output = false;        // an answer of text may hold pictures or sound as well
  int64_t context = 0;              // tokens; 0: unknown
  int64_t max_output = 0;           // tokens of one answer; 0: unknown
  std::vector<Endpoint> endpoints;  // in order of preference; may be empty: known, not served
  std::vector<Exclusion> excluded;
  std::shared_ptr<const Model> gratis;  // the same at no price, for those who have paid; or null

  // What holds of one of its endpoints, in tokens; 0: unknown. Of a request with `inputs`: all of
  // their contexts together, where each has its own. Saturates.
  int64_t ContextAt(const Endpoint& at, int64_t inputs) const {
    const int64_t each = at.context > 0 ? at.context : context;
    int64_t all = each;
    if (at.one_context || !__builtin_mul_overflow(each, inputs, &all)) return all;
    return std::numeric_limits<int64_t>::max();
  }
  int64_t MaxOutputAt(const Endpoint& at) const {
    return at.max_output > 0 ? at.max_output : max_output;
  }
};

// Immutable once made; thread-safe.
class Catalog {
 public:
  struct Parts {
    std::vector<Model> models;
    StringMap<std::string> names;  // every accepted spelling -> model id
    std::vector<std::string> auto_names;
    std::string default_model;  // what `auto` takes; empty: `auto` is not served
  };

  Catalog() = default;

  // Fails with kInvalidValue when a name, or the default, leads to no model, an id repeats, or an
  // endpoint has no price: what cannot be charged is not sold. Names what has no quantization.
  static Result<Catalog> Make(Parts parts);

  // The model asked for as `name` (exact spelling), or null. `auto` names give the default model.
  // Owned by the catalog.
  const Model* Find(std::string_view name) const;

  // At most three ids of models that are served and for which `may` says yes, whose names begin
  // most like `name`; none where no three letters agree. In one pass over the models.
  template <typename May>
  std::vector<std::string_view> Nearest(std::string_view name, const May& may) const;

  const std::vector<Model>& models() const { return models_; }

  bool IsAuto(std::string_view name) const;
  std::span<const std::string> auto_names() const { return auto_names_; }

  // Whether that is a provider, or the tag of an endpoint, of any model, in small letters.
  bool KnowsProvider(std::string_view slug) const { return slugs_.contains(slug); }

  // At most three providers and tags that begin most like `slug`.
  std::vector<std::string_view> NearestProviders(std::string_view slug) const;

 private:
  std::vector<Model> models_;
  StringMap<size_t> names_;
  std::vector<std::string> auto_names_;
  StringMap<bool> slugs_;
  size_t default_model_ = SIZE_MAX;
};

// How many letters two names share from their beginning.
size_t SharedPrefix(std::string_view a, std::string_view b);

// A name without what looks like a date at its end, the longest first: "gpt-4o-2024-11-20" ->
// "gpt-4o-2024", "gpt-4o". A date has four to eight digits in at most three parts, none of them
// a single one: "gpt-4" has none.
std::vector<std::string_view> NamesWithoutDate(std::string_view name);

// A name without its author: "openai/gpt-4o" -> "gpt-4o".
inline std::string_view Slug(std::string_view name) { return name.substr(name.rfind('/') + 1); }

template <typename May>
std::vector<std::string_view> Catalog::Nearest(std::string_view name, const May& may) const {
  constexpr size_t kMost = 3;
  constexpr size_t kLeastShared = 3;
  std::vector<std::pair<size_t, std::string_view>> best;  // shared letters, id; the best first
  for (const Model& model : models_) {
    const size_t shared = SharedPrefix(Slug(model.id), Slug(name));
    if (shared < kLeastShared || model.endpoints.empty() || !may(model.id)) continue;
    auto place = best.begin();
    while (place != best.end() && place->first >= shared) ++place;
    best.emplace(place, shared, model.id);
    if (best.size() > kMost) best.pop_back();
  }
  std::vector<std::string_view> ids;
  // What shares far less than the best is another family.
  for (const auto& [shared, id] : best) {
    if (shared * 2 >= best.front().first) ids.push_back(id);
  }
  return ids;
}

}  // namespace seekroute
