#include "wire/protocols/protocols.h"

#include "wire/openai/chat_surface.h"

namespace seekroute {

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

}  // namespace seekroute
