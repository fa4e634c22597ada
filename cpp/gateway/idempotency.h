// Requests that carry an Idempotency-Key: each is sent once, however often it is repeated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/digest.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/time.h"

namespace seekroute {

inline constexpr size_t kMaxIdempotencyKeyBytes = 255;

// Thread-safe. In memory: a restart forgets. Holds digests and generation ids, neither keys nor
// bodies, and never more than `capacity` of them; when it is full the oldest that has ended is
// forgotten before its time.
class IdempotencyTable {
 public:
  // What a claim stands for: a digest of the API key's id and of the header's value.
  using Name = Mac;
  static constexpr int64_t kKeptSeconds = int64_t{24} * 3600;

  explicit IdempotencyTable(size_t capacity) : capacity_(capacity) {}

  static Name NameOf(std::string_view key_id, std::string_view header);

  // kInvalidIdempotencyKey unless it is 1 to kMaxIdempotencyKeyBytes printable ASCII characters.
  static Status CheckHeader(std::string_view header);

  // Takes `name` for `generation_id`. Fails with kIdempotencyMismatch when it was taken for another
  // body, kIdempotencyInProgress while that request runs, kIdempotencyCompleted after it, with the
  // id in the facts; with kOverloaded when `capacity` requests are running.
  Status Claim(const Name& name, std::string_view body, std::string_view generation_id,
               UnixSeconds now);

  // The request has ended. `sent`: it went to a provider, so it is not to be repeated; else `name`
  // is free again.
  void End(const Name& name, bool sent);

  size_t size() const;

 private:
  struct Entry {
    Name name;
    Mac body;
    std::string generation_id;
    UnixSeconds until;
    bool running = true;
  };
  struct NameHash {
    size_t operator()(const Name& name) const;
  };
  using Entries = std::list<Entry>;  // oldest first

  void MakeRoom(UnixSeconds now) SR_REQUIRES(mu_);
  void Erase(Entries::iterator entry) SR_REQUIRES(mu_);

  const size_t capacity_;
  mutable Mutex mu_;
  Entries entries_ SR_GUARDED_BY(mu_);
  std::unordered_map<Name, Entries::iterator, NameHash> index_ SR_GUARDED_BY(mu_);
};

}  // namespace seekroute
