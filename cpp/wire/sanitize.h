// What may be told of an upstream's own error text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"

namespace seekroute {

// At most 500 bytes of `text` in one line, with the given secrets, key-shaped words (sk-..., Bearer
// ..., long random tokens), URLs, internal host names, IP addresses, and what names the operator's
// account (org-..., e-mail addresses, "project 123") replaced by [redacted]. Secrets shorter than
// eight characters and the dummies that local servers are given ("not-needed") stay.
std::string SanitizeUpstreamText(std::string_view text, const std::vector<const Secret*>& secrets);

// `text`, sanitised before, without what it quotes and what is no plain word or path: a sentence
// about a request may quote the request, which has no place in logs and rows.
std::string WithoutQuotations(std::string_view text);

// Cuts UTF-8 text between two characters, to `most` bytes.
void CutText(size_t most, std::string* text);

}  // namespace seekroute
