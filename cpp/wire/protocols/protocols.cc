#include "wire/protocols/protocols.h"

#include <array>
#include <cstddef>

#include "wire/openai/chat_dialect.h"
#include "wire/openai/chat_surface.h"
#include "wire/openai/embeddings_dialect.h"
#include "wire/openai/embeddings_surface.h"
#include "wire/openai/image_dialect.h"

namespace seekroute {
namespace {

// By SurfaceId.
const auto& Surfaces() {
  static const ChatSurface chat;
  static const EmbeddingsSurface embeddings;
  static const std::array<const Surface*, 2> table = {&chat, &embeddings};
  return table;
}

// By DialectId.
const auto& Dialects() {
  static const ChatDialect chat;
  static const ImageDialect images;
  static const EmbeddingsDialect embeddings;
  static const std::array<const Dialect*, 3> table = {&chat, &images, &embeddings};
  return table;
}

}  // namespace

const Surface& SurfaceOf(SurfaceId id) { return *Surfaces()[static_cast<size_t>(id)]; }

const Surface* SurfaceNamed(std::string_view label) {
  for (const Surface* surface : Surfaces()) {
    if (surface->label() == label) return surface;
  }
  return nullptr;
}

const Dialect& DialectOf(DialectId id) { return *Dialects()[static_cast<size_t>(id)]; }

const Dialect* DialectNamed(std::string_view label) {
  for (const Dialect* dialect : Dialects()) {
    if (dialect->label() == label) return dialect;
  }
  return nullptr;
}

}  // namespace seekroute
