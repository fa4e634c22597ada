// Requests that carry an Idempotency-Key: each is sent once, however often it is repeated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/time.h"
#include "gateway/stored_answers.h"
#include "store/claim.h"

namespace seekroute {

inline constexpr size_t kMaxIdempotencyKeyBytes = 255;

// Thread-safe. In memory; what a ledger has kept is restored after a restart. Holds digests and
// generation ids, neither keys nor prompts, and never more than `capacity` of them; when it is full
// the oldest that has ended is forgotten before its time. Of requests whose key asks for it, the
// answers too: up to `answer_bytes` of them, and only in memory.
class IdempotencyTable {
 public:
  explicit IdempotencyTable(size_t capacity, size_t answer_bytes = 0)
      : capacity_(capacity), answers_(answer_bytes) {}

  static IdempotencyClaim ClaimOf(std::string_view key_id, std::string_view header,
                                  std::string_view body) {
    return ClaimOf(key_id, header, DigestOf(body));
  }
  static IdempotencyClaim ClaimOf(std::string_view key_id, std::string_view header,
                                  const Mac& body);
  static Mac DigestOf(std::string_view body);

  // kInvalidIdempotencyKey unless it is 1 to kMaxIdempotencyKeyBytes printable ASCII characters.
  static Status CheckHeader(std::string_view header);

  // Takes the claim's name for `generation_id`. Fails with kIdempotencyMismatch when it was taken
  // for another body, kIdempotencyInProgress while that request runs, kIdempotencyCompleted after
  // it, with the id in the facts; with kOverloaded when `capacity` requests are running. `stored`
  // (may be null) gets the answer of one that has completed, if it was kept.
  Status Claim(const IdempotencyClaim& claim, std::string_view generation_id, UnixSeconds now,
               std::shared_ptr<const StoredAnswer>* stored = nullptr);

  // The request has ended. `sent`: it went to a provider, so it is not to be repeated; else `name`
  // is free again. `answer` is what its repetitions get; null: that it has completed.
  void End(const Mac& name, bool sent, std::shared_ptr<const StoredAnswer> answer = nullptr);

  // Claims of an earlier process whose requests have ended, oldest first. Before the first Claim().
  void Restore(const std::vector<KeptClaim>& kept);

  size_t size() const;
  size_t answer_bytes() const;

 private:
  struct Entry {
    IdempotencyClaim claim;
    std::string generation_id;
    UnixSeconds until;
    bool running = true;
  };
  using Entries = std::list<Entry>;  // oldest first

  void Add(Entry entry) SR_REQUIRES(mu_);
  void MakeRoom(UnixSeconds now) SR_REQUIRES(mu_);
  // An entry that a fast clock dated into the future has no known age: it counts as made now.
  void Redate(UnixSeconds now) SR_REQUIRES(mu_);
  void Erase(Entries::iterator entry) SR_REQUIRES(mu_);

  const size_t capacity_;
  mutable Mutex mu_;
  Entries entries_ SR_GUARDED_BY(mu_);
  UnixSeconds latest_ SR_GUARDED_BY(mu_);
  std::unordered_map<Mac, Entries::iterator, MacHash> index_ SR_GUARDED_BY(mu_);
  StoredAnswers answers_ SR_GUARDED_BY(mu_);
};

// One request's claim, which ends when this does at the latest. Engine thread only.
class ClaimGuard {
 public:
  ClaimGuard() = default;
  // `table` has taken `claim`; it is not owned and outlives this.
  ClaimGuard(IdempotencyTable* table, const IdempotencyClaim& claim)
      : table_(table), claim_(claim) {}
  ~ClaimGuard() { End(); }
  ClaimGuard(const ClaimGuard&) = delete;
  ClaimGuard& operator=(const ClaimGuard&) = delete;
  ClaimGuard& operator=(ClaimGuard&& other) noexcept {
    End();
    table_ = std::exchange(other.table_, nullptr);
    claim_ = other.claim_;
    spent_ = other.spent_;
    return *this;
  }

  // Whether the request is not to be sent again: it went to a provider. False until it is said.
  void SetSpent(bool spent) { spent_ = spent; }

  // The claim, for whoever keeps it beyond this process; nothing: there is none.
  std::optional<IdempotencyClaim> claim() const {
    return table_ != nullptr ? std::optional(claim_) : std::nullopt;
  }

  // IdempotencyTable::End(). Idempotent.
  void End(std::shared_ptr<const StoredAnswer> answer = nullptr) {
    if (table_ == nullptr) return;
    std::exchange(table_, nullptr)->End(claim_.name, spent_, std::move(answer));
  }

 private:
  IdempotencyTable* table_ = nullptr;  // null: nothing is claimed
  IdempotencyClaim claim_;
  bool spent_ = false;
};

}  // namespace seekroute
