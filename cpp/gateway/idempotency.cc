#include "gateway/idempotency.h"

#include <algorithm>
#include <cstring>
#include <optional>

namespace seekroute {
namespace {

constexpr int64_t kRetryAfterMs = 1000;

// No secret: it only makes the digests of names and of bodies different functions.
Mac DigestOf(std::string_view purpose, std::string_view text) {
  return HmacSha256(Secret(std::string(purpose)), text);
}

Error Repeated(ErrorCode code, std::string message, const std::string& generation_id) {
  Error error = MakeError(code, std::move(message));
  error.facts.push_back({"generation_id", generation_id, true});
  return error;
}

}  // namespace

IdempotencyTable::Name IdempotencyTable::NameOf(std::string_view key_id, std::string_view header) {
  std::string text(key_id);
  text += '\0';
  text += header;
  return DigestOf("idempotency name", text);
}

Status IdempotencyTable::CheckHeader(std::string_view header) {
  const bool printable =
      std::all_of(header.begin(), header.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  if (!header.empty() && header.size() <= kMaxIdempotencyKeyBytes && printable) return {};
  return MakeError(ErrorCode::kInvalidIdempotencyKey,
                   "expected an Idempotency-Key of 1 to 255 printable ASCII characters");
}

size_t IdempotencyTable::NameHash::operator()(const Name& name) const {
  size_t h = 0;
  std::memcpy(&h, name.data(), sizeof h);  // a MAC is uniform already
  return h;
}

Status IdempotencyTable::Claim(const Name& name, std::string_view body,
                               std::string_view generation_id, UnixSeconds now) {
  const Mac digest = DigestOf("idempotency body", body);
  MutexLock lock(&mu_);
  MakeRoom(now);
  const auto found = index_.find(name);
  if (found != index_.end()) {
    const Entry& entry = *found->second;
    if (entry.body != digest) {
      return MakeError(ErrorCode::kIdempotencyMismatch,
                       "this Idempotency-Key was used for another request: use a new one");
    }
    if (entry.running) {
      Error error =
          Repeated(ErrorCode::kIdempotencyInProgress,
                   "the request with this Idempotency-Key is still running", entry.generation_id);
      error.retry_after_ms = kRetryAfterMs;
      return error;
    }
    return Repeated(ErrorCode::kIdempotencyCompleted,
                    "the request with this Idempotency-Key has ended and is not sent again: look "
                    "it up by its generation id, or use a new key",
                    entry.generation_id);
  }
  if (entries_.size() >= capacity_) {
    Error error = MakeError(ErrorCode::kOverloaded,
                            "this gateway runs as many requests with an Idempotency-Key as it may");
    error.retry_after_ms = kRetryAfterMs;
    return error;
  }
  entries_.push_back(
      {name, digest, std::string(generation_id), UnixSeconds{now.s + kKeptSeconds}, true});
  index_.emplace(name, std::prev(entries_.end()));
  return {};
}

void IdempotencyTable::End(const Name& name, bool sent) {
  MutexLock lock(&mu_);
  const auto found = index_.find(name);
  if (found == index_.end()) return;
  if (sent) {
    found->second->running = false;
  } else {
    Erase(found->second);
  }
}

size_t IdempotencyTable::size() const {
  MutexLock lock(&mu_);
  return entries_.size();
}

// Running ones are passed over: there are at most as many of them as exchanges.
void IdempotencyTable::MakeRoom(UnixSeconds now) {
  for (auto it = entries_.begin(); it != entries_.end();) {
    const auto entry = it++;
    if (entry->running) continue;
    if (entry->until > now && entries_.size() < capacity_) break;
    Erase(entry);
  }
}

void IdempotencyTable::Erase(Entries::iterator entry) {
  index_.erase(entry->name);
  entries_.erase(entry);
}

}  // namespace seekroute
