// Internal to wire/: whether the bytes of a sound bound how long it plays.
#pragma once

#include <string_view>

namespace seekroute {

// The least bytes of sound that a second takes of what IsSizedSound() lets pass: MP3 at its lowest
// rate. Of WAV it is kLeastWavRate samples of a byte.
inline constexpr int kLeastBytesPerSecond = 1000;
inline constexpr unsigned kLeastWavRate = 4000;  // samples a second

// Whether `text` is base64 of sound that takes kLeastBytesPerSecond at least, whoever decodes it:
// WAV with plain samples (PCM, floats, A-law, mu-law) whose head contradicts itself nowhere, or
// MP3. Not FLAC, Opus, AAC, other WAV or samples without a head: of those a few bytes may be hours
// of silence. Nor an address, an id, a data URL, or base64 of which decoders make different bytes
// (URL-safe letters; padding inside). Lines may be broken. Linear; a copy of the text where they
// are. Pure.
bool IsSizedSound(std::string_view text);

}  // namespace seekroute
