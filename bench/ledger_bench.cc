// How fast the ledger is, alone: one engine's port, clients that hold and settle in a closed loop.
//
//   ledger_bench --folder build/bench --clients 64 --requests 30000
//   ledger_bench --folder build/bench --entries 10000000     also how long a start
//                                                            takes, and one with 10,000 orphans
//
// Further options: --rounds. Without --clients 1, 16, 64 and 256 are played. Every hold and every
// settle is durable before its client goes on. The folder must be on the disk that is meant.
#include <fcntl.h>
#include <sys/statfs.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "histogram.h"
#include "net.h"
#include "options.h"
#include "store/sqlite/ledger_reader.h"
#include "store/sqlite/sqlite_ledger.h"

namespace seekroute::bench {
namespace {

constexpr uint64_t kOrgs = 20;
constexpr uint64_t kKeys = 100;

class SteadyClock : public Clock {
 public:
  TimePoint Now() const override { return {NowNs()}; }
  UnixMillis WallTime() const override {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return {std::chrono::duration_cast<std::chrono::milliseconds>(now).count()};
  }
};

double Seconds(int64_t ns) { return static_cast<double>(ns) / 1e9; }

int64_t CpuNs(clockid_t clock) {
  timespec used{};
  clock_gettime(clock, &used);
  return static_cast<int64_t>(used.tv_sec) * kNsPerSecond + used.tv_nsec;
}

std::string FileSystemOf(const std::string& folder) {
  struct statfs about {};
  if (statfs(folder.c_str(), &about) != 0) DieErrno("statfs");
  switch (about.f_type) {
    case 0xEF53:
      return "ext4";
    case 0x58465342:
      return "xfs";
    case 0x9123683E:
      return "btrfs";
    case 0x794C7630:
      return "overlayfs";
    case 0x01021994:
      return "tmpfs: nothing on it is durable, and these figures say nothing";
    default:
      return "file system " + std::to_string(about.f_type);
  }
}

// What the disk itself takes: 16 KiB (the pages of a small commit) written over and synced.
void PrintRawSync(const std::string& folder) {
  constexpr std::size_t kWrite = 16 * 1024;
  constexpr int kPlaces = 256;
  constexpr int kTimes = 1000;
  const std::string path = folder + "/ledger_bench.sync";
  const Fd file(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file.open()) DieErrno("open");
  const std::vector<char> bytes(kWrite, 'x');
  const auto write = [&](int place) {
    const ssize_t size = pwrite(file.get(), bytes.data(), kWrite, place * ssize_t{kWrite});
    if (size != ssize_t{kWrite}) DieErrno("pwrite");
  };
  for (int i = 0; i < kPlaces; ++i) write(i);
  if (fsync(file.get()) != 0) DieErrno("fsync");
  Histogram times;
  for (int i = 0; i < kTimes; ++i) {
    const int64_t start = NowNs();
    write(i % kPlaces);
    if (fdatasync(file.get()) != 0) DieErrno("fdatasync");
    times.Record(NowNs() - start);
  }
  unlink(path.c_str());
  std::printf("%s; a write of 16 KiB and its fdatasync: p50 %.0f us, p99 %.0f us\n",
              FileSystemOf(folder).c_str(), times.PercentileUs(0.5), times.PercentileUs(0.99));
}

std::unique_ptr<SqliteLedger> Open(const std::string& path, const Clock* clock) {
  auto opened = SqliteLedger::Open(path, clock);
  if (!opened) Die(opened.error().message);
  return std::move(*opened);
}

// A row as long as those of a server: what an exchange knows when it holds.
ExchangeRecord HeldRow(uint64_t n) {
  ExchangeRecord row;
  std::array<char, 64> id{};
  std::snprintf(id.data(), id.size(), "gen-01k9%022llu", static_cast<unsigned long long>(n));
  row.generation_id = id.data();
  std::snprintf(id.data(), id.size(), "01920000-0000-7000-8000-%012llu",
                static_cast<unsigned long long>(n));
  row.request_id = id.data();
  row.org_id = "org-" + std::to_string(n % kOrgs);
  row.key_id = "key-" + std::to_string(n % kKeys);
  row.requested_model = row.model = "openai/gpt-oss-" + std::to_string(n % 10);
  row.price_revision = "2026-10-01.abcdef";
  row.created = {1'800'000'000 + static_cast<int64_t>(n / 1000)};
  return row;
}

void Complete(ExchangeRecord* row) {
  row->provider = "groq";
  row->finish_reason = "stop";
  row->status = 200;
  row->attempts = 1;
  row->prompt_tokens = 1200;
  row->completion_tokens = 340;
  row->settlement = Settlement::kExact;
  row->cost = row->upstream_cost = {123'456};
  row->total = Duration::Milliseconds(455);
  row->first_content = Duration::Milliseconds(300);
  row->overhead = {140'000};
  row->tried = {{"groq", 200, "", row->total - row->overhead}};
}

// An engine whose thread does nothing but what the clients ask for.
class Clients : public EngineInbox, public StoreObserver {
 public:
  Clients(SqliteLedger* ledger, uint64_t clients, uint64_t first, uint64_t count)
      : rows_(clients),
        started_(clients),
        next_(first),
        last_(first + count),
        store_(ledger->PortFor(this)) {}

  // Plays all requests on the calling thread.
  void Run() {
    for (uint64_t i = 0; i < rows_.size(); ++i) Start(i);
    store_->Flush();
    while (running_ > 0) {
      std::vector<std::function<void()>> tasks;
      {
        std::unique_lock<std::mutex> lock(mu_);
        posted_.wait(lock, [this] { return !tasks_.empty(); });
        tasks.swap(tasks_);
      }
      for (const auto& task : tasks) task();
      tasks.clear();
      store_->Flush();
    }
    store_.reset();
  }

  void Post(std::function<void()> task) override {
    const std::lock_guard<std::mutex> lock(mu_);
    tasks_.push_back(std::move(task));
    posted_.notify_one();
  }

  void OnHeld(StoreTicket ticket, const HoldAnswer& answer) override {
    if (!answer.status.ok()) Die("a hold failed: " + answer.status.error().message);
    holds_.Record(NowNs() - started_[ticket]);
    Complete(&rows_[ticket]);
    store_->Settle(ticket, rows_[ticket], this);
  }

  void OnStored(StoreTicket ticket, const Status& status) override {
    if (!status.ok()) Die("a settle failed: " + status.error().message);
    --running_;
    Start(ticket);
  }

  const Histogram& holds() const { return holds_; }

 private:
  void Start(uint64_t client) {
    if (next_ >= last_) return;
    ++running_;
    rows_[client] = HeldRow(next_++);
    started_[client] = NowNs();
    store_->Hold(client, rows_[client], {{500'000}, {500'000}, {}}, this);
  }

  std::vector<ExchangeRecord> rows_;
  std::vector<int64_t> started_;
  uint64_t next_;
  const uint64_t last_;
  uint64_t running_ = 0;
  Histogram holds_;
  std::mutex mu_;
  std::condition_variable posted_;
  std::vector<std::function<void()>> tasks_;  // mu_
  std::unique_ptr<Store> store_;
};

void Topup(LedgerWriter& writer) {
  for (uint64_t i = 0; i < kOrgs; ++i) {
    std::promise<void> told;
    const std::string n = std::to_string(i);
    writer.Order(
        {LedgerOrder::Kind::kTopup, "bench:" + n, "org-" + n, {}, {1'000'000'000'000'000}, {}},
        [&told](const OrderAnswer&) { told.set_value(); });
    told.get_future().wait();
  }
}

void Play(SqliteLedger* ledger, uint64_t clients, uint64_t first, uint64_t count) {
  const uint64_t commits = ledger->writer().commits();
  const int64_t cpu = CpuNs(CLOCK_PROCESS_CPUTIME_ID);
  const int64_t own_cpu = CpuNs(CLOCK_THREAD_CPUTIME_ID);
  const int64_t start = NowNs();
  Clients players(ledger, clients, first, count);
  players.Run();
  const int64_t took = NowNs() - start;
  const double own = static_cast<double>(CpuNs(CLOCK_THREAD_CPUTIME_ID) - own_cpu);
  const double all = static_cast<double>(CpuNs(CLOCK_PROCESS_CPUTIME_ID) - cpu);
  const double made = static_cast<double>(count);
  const auto written = static_cast<double>(ledger->writer().commits() - commits);
  std::printf(
      "%3llu clients: %7.0f requests/s, %6.0f commits/s of %5.1f operations, hold p50 %6.0f us "
      "p99 %6.0f us, CPU a request %5.1f us (writer) %4.1f us (clients)\n",
      static_cast<unsigned long long>(clients), made / Seconds(took), written / Seconds(took),
      2 * made / written, players.holds().PercentileUs(0.5), players.holds().PercentileUs(0.99),
      (all - own) / made / 1000, own / made / 1000);
  std::fflush(stdout);
}

// Many requests in few transactions: the file is what is wanted, not the pace.
void Fill(LedgerWriter& writer, uint64_t first, uint64_t count) {
  constexpr uint64_t kInOne = 20'000;
  for (uint64_t at = first; at < first + count; at += kInOne) {
    const Status filled = writer.RunTask([&](Database* db, Ledger* ledger, SqliteJournal* journal) {
      if (db->Execute("BEGIN IMMEDIATE") != SQLITE_OK) Die("cannot begin");
      for (uint64_t n = at; n < std::min(at + kInOne, first + count); ++n) {
        ExchangeRecord row = HeldRow(n);
        Complete(&row);
        const UnixMillis now{row.created.s * 1000};
        journal->SetRow(&row);
        ledger->Hold(row.generation_id, row.org_id, {500'000}, {500'000}, {}, now);
        ledger->Settle(row.generation_id, row.cost, now);
        journal->SetRow(nullptr);
      }
      journal->FlushTotals();
      journal->WriteSnapshot(*ledger, false);
      if (!journal->ok() || db->Execute("COMMIT") != SQLITE_OK) Die("cannot commit");
      ledger->Release();
      journal->OnCommit();
      return Status();
    });
    if (!filled.ok()) Die(filled.error().message);
  }
}

// Holds of a process that goes away: nobody settles them.
void HoldAndLeave(LedgerWriter& writer, uint64_t first, uint64_t count) {
  std::atomic<uint64_t> held{0};
  for (uint64_t n = first; n < first + count; ++n) {
    writer.Hold(HeldRow(n), {{500'000}, {500'000}, {}}, [&held](const HoldAnswer& answer) {
      if (!answer.status.ok()) Die("a hold failed: " + answer.status.error().message);
      held.fetch_add(1);
    });
  }
  while (held.load() < count) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

void PrintStarts(const std::string& path, const Clock* clock, uint64_t made) {
  for (const char* which : {"first", "second"}) {
    const int64_t start = NowNs();
    const auto ledger = Open(path, clock);
    std::printf("%s start with %llu entries: %.3f s\n", which,
                static_cast<unsigned long long>(2 * made), Seconds(NowNs() - start));
  }
  constexpr uint64_t kOrphans = 10'000;
  auto ledger = Open(path, clock);
  HoldAndLeave(ledger->writer(), made, kOrphans);
  ledger.reset();
  const int64_t orphaned = NowNs();
  ledger = Open(path, clock);
  std::printf("start with %zu holds of a process that is gone: %.3f s\n",
              ledger->writer().expired_at_start(), Seconds(NowNs() - orphaned));
  ledger.reset();
  const int64_t start = NowNs();
  auto reader = LedgerReader::Open(path);
  if (!reader) Die(reader.error().message);
  const auto report = reader->Verify();
  if (!report) Die(report.error().message);
  std::printf("verify: %s, %lld entries in %.2f s\n", report->rule.empty() ? "sound" : "BROKEN",
              static_cast<long long>(report->entries), Seconds(NowNs() - start));
}

void Run(Options& options) {
  const std::string folder = options.Text("folder", "");
  const auto asked = static_cast<uint64_t>(options.Int("clients", 0));
  const auto requests = static_cast<uint64_t>(options.Int("requests", 30'000));
  const auto entries = static_cast<uint64_t>(options.Int("entries", 0));
  const int64_t rounds = options.Int("rounds", 1);
  options.RefuseUnknown();
  if (folder.empty() || requests == 0) Die("expected --folder, and at least one request");
  PrintRawSync(folder);
  const SteadyClock clock;
  const std::string path = folder + "/ledger_bench.db";
  for (const char* end : {"", "-wal", "-shm", ".lock", ".mark"})
    std::filesystem::remove(path + end);
  auto ledger = Open(path, &clock);
  Topup(ledger->writer());
  std::vector<uint64_t> sizes{1, 16, 64, 256};
  if (asked != 0) sizes = {asked};
  uint64_t made = 0;
  for (int64_t round = 0; round < rounds; ++round) {
    for (const uint64_t clients : sizes) {
      // One client waits for the disk twice a request.
      const uint64_t count = clients == 1 ? std::max<uint64_t>(requests / 15, 1) : requests;
      Play(ledger.get(), clients, made, count);
      made += count;
    }
  }
  ledger.reset();
  std::printf("%.0f bytes a request after %llu requests\n",
              static_cast<double>(std::filesystem::file_size(path)) / static_cast<double>(made),
              static_cast<unsigned long long>(made));
  if (entries != 0) {
    ledger = Open(path, &clock);
    if (entries / 2 > made) {
      Fill(ledger->writer(), made, entries / 2 - made);
      made = entries / 2;
    }
    ledger.reset();
    PrintStarts(path, &clock, made);
  }
  for (const char* end : {"", "-wal", "-shm", ".lock", ".mark"})
    std::filesystem::remove(path + end);
}

}  // namespace
}  // namespace seekroute::bench

int main(int argc, char** argv) {
  seekroute::bench::Options options(argc, argv);
  seekroute::bench::Run(options);
  return 0;
}
