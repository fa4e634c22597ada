// A ledger's journal in memory, for tests, the simulator and the bindings' MemoryLedger.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "billing/ledger.h"

namespace seekroute {

class MemoryJournal : public LedgerJournal {
 public:
  void Append(const LedgerEntry& entry) override {
    index_.emplace(std::pair(entry.kind, entry.id), entries_.size());
    if (entry.kind == EntryKind::kRefund) {
      refunded_[entry.request].nano += entry.postings.available + entry.postings.debt;
    }
    entries_.push_back(entry);
  }

  std::optional<LedgerEntry> Find(EntryKind kind, std::string_view id) override {
    const auto found = index_.find(std::pair(kind, std::string(id)));
    if (found == index_.end()) return std::nullopt;
    return entries_[found->second];
  }

  Money Refunded(std::string_view request) override {
    const auto found = refunded_.find(std::string(request));
    return found == refunded_.end() ? Money{} : found->second;
  }

  // Drops all entries after the first `size`, as a transaction that is rolled back does.
  void Truncate(size_t size) {
    for (; entries_.size() > size; entries_.pop_back()) {
      const LedgerEntry& last = entries_.back();
      index_.erase(std::pair(last.kind, last.id));
      if (last.kind == EntryKind::kRefund) {
        refunded_[last.request].nano -= last.postings.available + last.postings.debt;
      }
    }
  }

  const std::vector<LedgerEntry>& entries() const { return entries_; }

 private:
  std::vector<LedgerEntry> entries_;
  std::map<std::pair<EntryKind, std::string>, size_t> index_;
  std::map<std::string, Money> refunded_;
};

}  // namespace seekroute
