// What an answer holds beside its text, and about how many tokens that is.
#pragma once

#include <cstdint>

namespace seekroute {

// Gemini bills 1,290 output tokens for a picture of up to 1024 x 1024 pixels, the usual size
// (https://ai.google.dev/gemini-api/docs/pricing); OpenAI's are between 272 and 6,240 by size and
// quality. The size of a picture is not looked for in its bytes.
inline constexpr int64_t kPictureTokens = 1290;

// Of base64, as for sound in a prompt: ten tokens a second of the usual MP3.
inline constexpr int64_t kUsualSoundBytesPerToken = 2048;

// Value type.
struct DeliveredMedia {
  int64_t pictures = 0;
  int64_t sound_bytes = 0;  // of base64

  bool operator==(const DeliveredMedia&) const = default;

  void Add(const DeliveredMedia& more) {
    pictures += more.pictures;
    sound_bytes += more.sound_bytes;
  }

  // Bounded by the bytes of the answer, each picture of which takes some.
  int64_t picture_tokens() const { return pictures * kPictureTokens; }
  int64_t sound_tokens() const {
    return sound_bytes == 0 ? 0 : sound_bytes / kUsualSoundBytesPerToken + 1;
  }
};

}  // namespace seekroute
