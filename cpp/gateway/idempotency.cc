#include "gateway/idempotency.h"

#include <algorithm>

namespace seekroute {
namespace {

constexpr int64_t kMostStepBack = 60;  // seconds; less is no clock that was wrong

// No secret: it only makes the digests of names and of bodies different functions.
Mac DigestFor(std::string_view purpose, std::string_view text) {
  return HmacSha256(Secret(std::string(purpose)), text);
}

}  // namespace

IdempotencyClaim IdempotencyTable::ClaimOf(std::string_view key_id, std::string_view header,
                                           const Mac& body) {
  std::string text(key_id);
  text += '\0';
  text += header;
  return {DigestFor("idempotency name", text), body};
}

Mac IdempotencyTable::DigestOf(std::string_view body) {
  return DigestFor("idempotency body", body);
}

Status IdempotencyTable::CheckHeader(std::string_view header) {
  const bool printable =
      std::all_of(header.begin(), header.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  if (!header.empty() && header.size() <= kMaxIdempotencyKeyBytes && printable) return {};
  return MakeError(ErrorCode::kInvalidIdempotencyKey,
                   "expected an Idempotency-Key of 1 to 255 printable ASCII characters");
}

Status IdempotencyTable::Claim(const IdempotencyClaim& claim, std::string_view generation_id,
                               UnixSeconds now, std::shared_ptr<const StoredAnswer>* stored) {
  MutexLock lock(&mu_);
  if (now.s < latest_.s - kMostStepBack) Redate(now);
  latest_ = now;
  MakeRoom(now);
  const auto found = index_.find(claim.name);
  if (found != index_.end()) {
    const Entry& entry = *found->second;
    if (entry.claim.body != claim.body) return ClaimMismatch();
    if (entry.running) return ClaimInProgress(entry.generation_id);
    if (stored != nullptr) *stored = answers_.Find(claim.name);
    return ClaimCompleted(entry.generation_id);
  }
  if (entries_.size() >= capacity_) {
    return MakeError(ErrorCode::kOverloaded,
                     "this gateway runs as many requests with an Idempotency-Key as it may");
  }
  Add({claim, std::string(generation_id), UnixSeconds{now.s + kClaimKeptSeconds}, true});
  return {};
}

void IdempotencyTable::End(const Mac& name, bool sent, std::shared_ptr<const StoredAnswer> answer) {
  MutexLock lock(&mu_);
  const auto found = index_.find(name);
  if (found == index_.end()) return;
  if (!sent) return Erase(found->second);
  found->second->running = false;
  if (answer) answers_.Put(name, std::move(answer));
}

void IdempotencyTable::Restore(const std::vector<KeptClaim>& kept) {
  MutexLock lock(&mu_);
  const size_t skipped = kept.size() - std::min(kept.size(), capacity_);
  for (size_t i = skipped; i < kept.size(); ++i) {
    const KeptClaim& each = kept[i];
    Add({each.claim, each.generation_id, UnixSeconds{each.at.s + kClaimKeptSeconds}, false});
  }
}

void IdempotencyTable::Add(Entry entry) {
  entries_.push_back(std::move(entry));
  index_.emplace(entries_.back().claim.name, std::prev(entries_.end()));
}

size_t IdempotencyTable::size() const {
  MutexLock lock(&mu_);
  return entries_.size();
}

size_t IdempotencyTable::answer_bytes() const {
  MutexLock lock(&mu_);
  return answers_.bytes();
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

void IdempotencyTable::Redate(UnixSeconds now) {
  for (Entry& entry : entries_) {
    entry.until.s = std::min(entry.until.s, now.s + kClaimKeptSeconds);
  }
}

void IdempotencyTable::Erase(Entries::iterator entry) {
  answers_.Erase(entry->claim.name);
  index_.erase(entry->claim.name);
  entries_.erase(entry);
}

}  // namespace seekroute
