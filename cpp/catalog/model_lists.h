// What the operator says of models beside what each is: names that stand for several, and who is
// asked after whom.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "catalog/catalog.h"

namespace seekroute {

// A name that stands for several models. Immutable.
struct VirtualModel {
  enum class Strategy : uint8_t {
    kWeighted,  // drawn by weight for each request
    kOrder,     // as they are listed
    kPrice,     // all their endpoints as one list, the cheapest first
  };
  struct Member {
    std::string model;     // its id
    std::string provider;  // at which alone it is asked, or a tag; empty: any
    double weight = 1;
  };
  static constexpr size_t kMostMembers = 8;

  Strategy strategy = Strategy::kWeighted;
  std::vector<Member> members;
};

// Ids by the id of the model after which they are asked.
using FallbackList = StringMap<std::vector<std::string>>;

// Immutable.
struct ModelLists {
  StringMap<VirtualModel> virtual_models;  // by name; none is a name of the catalog
  FallbackList after_any;                  // failure after which another candidate may be asked
  FallbackList after_context;              // the prompt was too long
  FallbackList after_content_policy;       // the provider refused its content

  bool has_fallbacks() const {
    return !after_any.empty() || !after_context.empty() || !after_content_policy.empty();
  }
};

}  // namespace seekroute
