#include "store/sqlite/sqlite_ledger.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <unordered_map>

namespace seekroute {
namespace {

// An answer on its way to the engine.
struct Completion {
  StoreTicket ticket = 0;
  // Whoever is last to let go of the row frees it: the engine's thread, which allocated it.
  LedgerWriter::SharedRow row;
  std::optional<HoldAnswer> hold;  // else it is a settle's
  Status stored;

  bool granted() const { return hold && hold->status.ok(); }
};

// Who waits for what. Engine's thread.
struct Waiting {
  struct Entry {
    StoreObserver* observer = nullptr;  // null: forgotten
    int answers = 0;                    // that are still to come
    bool settled = false;
  };
  std::unordered_map<StoreTicket, Entry> entries;
};

// Gives back a hold that nobody waits for any more.
void GiveBack(LedgerWriter* writer, const ExchangeRecord& held) {
  ExchangeRecord row = held;
  row.error = TraitsOf(ErrorCode::kClientClosed).name;
  row.status = TraitsOf(ErrorCode::kClientClosed).status;
  row.settlement = Settlement::kCancelled;
  row.cost = {};
  writer->Settle(std::move(row), nullptr);
}

}  // namespace

std::string NewInstanceId() {
  std::array<unsigned char, 16> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();
  std::string id;
  for (const unsigned char byte : bytes) {
    id += "0123456789abcdef"[byte >> 4];
    id += "0123456789abcdef"[byte & 15];
  }
  return id;
}

// What the ledger's thread knows of a port.
class SqliteLedger::Channel {
 public:
  Channel(LedgerWriter* writer, EngineInbox* inbox, std::weak_ptr<Waiting> waiting)
      : writer_(writer), inbox_(inbox), waiting_(std::move(waiting)) {}

  // The ledger's thread.
  void Add(Completion completion) { ready_.push_back(std::move(completion)); }

  void Flush() {
    if (ready_.empty()) return;
    auto batch = std::make_shared<std::vector<Completion>>(std::move(ready_));
    ready_.clear();
    const MutexLock lock(&mu_);
    if (inbox_ == nullptr) {
      for (const Completion& each : *batch) {
        if (each.granted()) GiveBack(writer_, *each.row);
      }
      return;
    }
    inbox_->Post([batch, waiting = waiting_, writer = writer_] {
      for (const Completion& each : *batch) Hand(each, waiting, writer);
    });
  }

  // Any thread: nothing is posted after this.
  void Detach() {
    const MutexLock lock(&mu_);
    inbox_ = nullptr;
  }

 private:
  // The engine's thread. The observer may call the port again, or destroy it.
  static void Hand(const Completion& done, const std::weak_ptr<Waiting>& waiting,
                   LedgerWriter* writer) {
    const std::shared_ptr<Waiting> all = waiting.lock();
    if (!all) return;
    const auto found = all->entries.find(done.ticket);
    if (found == all->entries.end()) return;
    const Waiting::Entry entry = found->second;
    if (--found->second.answers == 0) all->entries.erase(found);
    if (entry.observer == nullptr) {
      if (done.granted() && !entry.settled) GiveBack(writer, *done.row);
    } else if (done.hold) {
      entry.observer->OnHeld(done.ticket, *done.hold);
    } else {
      entry.observer->OnStored(done.ticket, done.stored);
    }
  }

  LedgerWriter* const writer_;
  std::vector<Completion> ready_;
  Mutex mu_;
  EngineInbox* inbox_ SR_GUARDED_BY(mu_);
  const std::weak_ptr<Waiting> waiting_;
};

class SqliteLedger::Port : public Store {
 public:
  Port(LedgerWriter* writer, std::shared_ptr<Waiting> waiting, std::shared_ptr<Channel> channel)
      : writer_(writer), waiting_(std::move(waiting)), channel_(std::move(channel)) {}
  ~Port() override {
    channel_->Detach();
    writer_->Flush();
  }

  void Hold(StoreTicket ticket, const ExchangeRecord& row, const HoldRequest& request,
            StoreObserver* observer) override {
    Expect(ticket, observer);
    auto kept = std::make_shared<const ExchangeRecord>(row);
    writer_->Hold(
        kept, request,
        [channel = channel_, ticket, kept](const HoldAnswer& answer) {
          channel->Add({ticket, kept, answer, {}});
        },
        LedgerWriter::Wake::kAtFlush);
  }

  void Settle(StoreTicket ticket, const ExchangeRecord& row, StoreObserver* observer) override {
    Expect(ticket, observer).settled = true;
    auto kept = std::make_shared<const ExchangeRecord>(row);
    writer_->Settle(
        kept,
        [channel = channel_, ticket, kept](const Status& status) {
          channel->Add({ticket, kept, {}, status});
        },
        LedgerWriter::Wake::kAtFlush);
  }

  void Note(StoreTicket, const ExchangeRecord& row) override { writer_->Note(row); }

  void Forget(StoreTicket ticket) override {
    const auto found = waiting_->entries.find(ticket);
    if (found != waiting_->entries.end()) found->second.observer = nullptr;
  }

  void Flush() override { writer_->Flush(); }

 private:
  Waiting::Entry& Expect(StoreTicket ticket, StoreObserver* observer) {
    Waiting::Entry& entry = waiting_->entries[ticket];
    entry.observer = observer;
    ++entry.answers;
    return entry;
  }

  LedgerWriter* const writer_;
  const std::shared_ptr<Waiting> waiting_;
  const std::shared_ptr<Channel> channel_;
};

Result<std::unique_ptr<SqliteLedger>> SqliteLedger::Open(const LedgerWriter::Options& options,
                                                         const Clock* clock) {
  Result<std::unique_ptr<LedgerWriter>> writer = LedgerWriter::Open(options, clock);
  if (!writer) return writer.error();
  return std::unique_ptr<SqliteLedger>(new SqliteLedger(std::move(*writer)));
}

Result<std::unique_ptr<SqliteLedger>> SqliteLedger::Open(const std::string& path,
                                                         const Clock* clock, Orphans orphans) {
  LedgerWriter::Options options;
  options.orphans = orphans;
  options.path = path;
  options.instance = NewInstanceId();
  return Open(options, clock);
}

SqliteLedger::SqliteLedger(std::unique_ptr<LedgerWriter> writer) : writer_(std::move(writer)) {
  writer_->OnBatch([this] { Deliver(); });
}

// The writer first: its last batch is delivered through the channels.
SqliteLedger::~SqliteLedger() { writer_.reset(); }

std::unique_ptr<Store> SqliteLedger::PortFor(EngineInbox* inbox) {
  auto waiting = std::make_shared<Waiting>();
  auto channel = std::make_shared<Channel>(writer_.get(), inbox, waiting);
  const MutexLock lock(&mu_);
  std::erase_if(channels_, [](const auto& each) { return each.expired(); });
  channels_.push_back(channel);
  return std::make_unique<Port>(writer_.get(), std::move(waiting), std::move(channel));
}

void SqliteLedger::Deliver() {
  const MutexLock lock(&mu_);
  for (const auto& each : channels_) {
    if (const std::shared_ptr<Channel> channel = each.lock()) channel->Flush();
  }
}

}  // namespace seekroute
