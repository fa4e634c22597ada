#include "catalog/catalog.h"

#include <algorithm>
#include <utility>

#include "base/digest.h"
#include "wire/protocols/protocols.h"

namespace seekroute {

void SetDialect(DialectId dialect, Endpoint* endpoint) {
  const DialectTraits traits = DialectOf(dialect).traits();
  endpoint->dialect = dialect;
  endpoint->lacks = traits.lacks;
  endpoint->token_answer = traits.token_answer;
  endpoint->pieces = traits.pieces;
  endpoint->one_context = traits.one_context;
}

EndpointId EndpointIdOf(std::string_view provider, std::string_view upstream_model,
                        std::string_view region, std::string_view quantization) {
  std::string text(provider);
  for (const std::string_view part : {upstream_model, region, quantization}) {
    text += '\0';
    text += part;
  }
  const Mac digest = Sha256(text);
  EndpointId id = 0;
  for (size_t i = 0; i < sizeof id; ++i) id = id << 8 | digest[i];
  return id;
}

namespace {

std::string Lowered(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return lower;
}

}  // namespace

Result<Catalog> Catalog::Make(Parts parts) {
  Catalog catalog;
  catalog.models_ = std::move(parts.models);
  StringMap<size_t> by_id;
  for (size_t i = 0; i < catalog.models_.size(); ++i) {
    if (!by_id.emplace(catalog.models_[i].id, i).second) {
      return MakeError(ErrorCode::kInvalidValue,
                       "model '" + catalog.models_[i].id + "' stands twice in the catalog");
    }
    for (const Exclusion& each : catalog.models_[i].excluded) {
      catalog.slugs_.emplace(Lowered(each.provider), true);
    }
    for (Endpoint& endpoint : catalog.models_[i].endpoints) {
      if (endpoint.quantization.empty()) endpoint.quantization = kUnknownQuantization;
      const std::string tag = Lowered(endpoint.tag);
      catalog.slugs_.emplace(tag.substr(0, tag.find('/')), true);
      catalog.slugs_.emplace(tag, true);
      if (endpoint.price == nullptr) {
        return MakeError(ErrorCode::kInvalidValue, "model '" + catalog.models_[i].id +
                                                       "', endpoint '" + endpoint.upstream_model +
                                                       "' has no price; it cannot be sold");
      }
    }
  }
  for (const auto& [name, id] : parts.names) {
    const auto found = by_id.find(id);
    if (found == by_id.end()) {
      return MakeError(ErrorCode::kInvalidValue,
                       "name '" + name + "' leads to '" + id + "', which is not in the catalog");
    }
    catalog.names_.emplace(name, found->second);
  }
  catalog.auto_names_ = std::move(parts.auto_names);
  if (!parts.default_model.empty()) {
    const auto found = by_id.find(parts.default_model);
    if (found == by_id.end()) {
      return MakeError(ErrorCode::kInvalidValue,
                       "default model '" + parts.default_model + "' is not in the catalog");
    }
    catalog.default_model_ = found->second;
  }
  return catalog;
}

std::vector<std::string_view> Catalog::NearestProviders(std::string_view slug) const {
  constexpr size_t kMost = 3;
  std::vector<std::pair<size_t, std::string_view>> found;
  for (const auto& [name, known] : slugs_) {
    if (const size_t shared = SharedPrefix(name, slug); shared > 0)
      found.emplace_back(shared, name);
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  if (found.size() > kMost) found.resize(kMost);
  std::vector<std::string_view> names;
  names.reserve(found.size());
  for (const auto& [shared, name] : found) names.push_back(name);
  return names;
}

size_t SharedPrefix(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  size_t n = 0;
  while (n < a.size() && n < b.size() && lower(a[n]) == lower(b[n])) ++n;
  return n;
}

std::vector<std::string_view> NamesWithoutDate(std::string_view name) {
  constexpr int kMostParts = 3;
  constexpr size_t kLeastDigits = 4;
  constexpr size_t kMostDigits = 8;
  std::vector<std::string_view> names;
  size_t digits = 0;
  for (int part = 0; part < kMostParts; ++part) {
    const size_t dash = name.rfind('-');
    if (dash == std::string_view::npos || Slug(name.substr(0, dash)).empty()) break;
    const std::string_view last = name.substr(dash + 1);
    const bool numeric = last.find_first_not_of("0123456789") == std::string_view::npos;
    digits += last.size();
    if (!numeric || last.size() < 2 || digits > kMostDigits) break;
    name = name.substr(0, dash);
    if (digits >= kLeastDigits) names.push_back(name);
  }
  return names;
}

bool Catalog::IsAuto(std::string_view name) const {
  return std::ranges::find(auto_names_, name) != auto_names_.end();
}

const Model* Catalog::Find(std::string_view name) const {
  if (IsAuto(name)) {
    return default_model_ == SIZE_MAX ? nullptr : &models_[default_model_];
  }
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : &models_[found->second];
}

}  // namespace seekroute
