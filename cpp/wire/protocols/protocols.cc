#include "wire/protocols/protocols.h"

#include <array>
#include <cstddef>

#include "wire/openai/chat_dialect.h"
#include "wire/openai/chat_surface.h"
#include "wire/openai/image_dialect.h"

namespace seekroute {
namespace {

// By DialectId.
const auto& Dialects() {
  static const ChatDialect chat;
  static const ImageDialect images;
  static const std::array<const Dialect*, 2> table = {&chat, &images};
  return table;
}

}  // namespace

const Surface& SurfaceOf(SurfaceId id) {
  static const ChatSurface chat;
  switch (id) {
    case SurfaceId::kChat:
    case SurfaceId::kEmbeddings:
      break;
  }
  return chat;
}

const Surface* SurfaceNamed(std::string_view label) {
  const Surface& chat = SurfaceOf(SurfaceId::kChat);
  return label == chat.label() ? &chat : nullptr;
}

const Dialect& DialectOf(DialectId id) { return *Dialects()[static_cast<size_t>(id)]; }

const Dialect* DialectNamed(std::string_view label) {
  for (const Dialect* dialect : Dialects()) {
    if (dialect->label() == label) return dialect;
  }
  return nullptr;
}

}  // namespace seekroute
