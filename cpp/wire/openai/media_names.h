// Internal to wire/: what a member that nobody knows can stand for, by its name and its strings.
// Pictures, sounds, files and what a service finds reach a prompt as a reference: an address, the
// bytes in base64, an id. What is none of those is text, or says how.
#pragma once

#include <cstdint>
#include <string_view>

namespace seekroute {

enum class NameMeans : uint8_t {
  kNothing,  // that anybody knows
  kText,     // a string in it is text, whatever it looks like: `text`, `title`
  kQuoted,   // all that is in it is: citations, the arguments of a call
  kMedia,    // a string in it may be media, or the id of some: `picture`, `fileUrls`
  kService,  // its presence may bring something into the prompt: `grounding`
};

// Whether a `type` says that what it stands in cites a source: it is text about that, and nobody
// fetches it. Thread-safe.
bool IsCitation(std::string_view type);

// By the words of a name in snake, kebab or camel case. Linear; never fails. Thread-safe.
NameMeans MeaningOf(std::string_view name);

// Whether a string may stand for media or stored content by its form: an address or a data URL, a
// MIME type of media, an id with the prefix of a store, base64 that begins like a file of media.
// Prose with an address in it is prose. Linear. Thread-safe.
bool CanBeReference(std::string_view text);

// Whether what stands for a picture, or beside one, may be one, or an address of which nobody
// knows. It is none if it is a data URL or a MIME type of something else, or begins, as base64 in a
// data URL or alone, like a file of something else; if it is the id of a store, an address whose
// file is named as a document, video or sound, or one of a host of videos; or if it is long, and no
// address, and does not begin like a picture. Linear. Thread-safe.
bool CanBePicture(std::string_view text);

}  // namespace seekroute
