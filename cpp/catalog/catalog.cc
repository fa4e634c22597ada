#include "catalog/catalog.h"

#include <utility>

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

Result<Catalog> Catalog::Make(Parts parts) {
  Catalog catalog;
  catalog.models_ = std::move(parts.models);
  StringMap<size_t> by_id;
  for (size_t i = 0; i < catalog.models_.size(); ++i) {
    if (!by_id.emplace(catalog.models_[i].id, i).second) {
      return MakeError(ErrorCode::kInvalidValue,
                       "model '" + catalog.models_[i].id + "' stands twice in the catalog");
    }
    for (const Endpoint& endpoint : catalog.models_[i].endpoints) {
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
  for (std::string& name : parts.auto_names) catalog.auto_names_.emplace(std::move(name), true);
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

const Model* Catalog::Find(std::string_view name) const {
  if (IsAuto(name)) {
    return default_model_ == SIZE_MAX ? nullptr : &models_[default_model_];
  }
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : &models_[found->second];
}

}  // namespace seekroute
