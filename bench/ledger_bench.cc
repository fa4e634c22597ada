// Durable holds and settles per second of the ledger, its bytes a request, and how long a start
// takes, also with 10,000 holds of a process that is gone:  ledger_bench FOLDER [ENTRIES]
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "store/sqlite/ledger_reader.h"
#include "store/sqlite/sqlite_ledger.h"

namespace seekroute {
namespace {

constexpr uint64_t kOrphans = 10'000;

class SteadyClock : public Clock {
 public:
  TimePoint Now() const override {
    return {std::chrono::steady_clock::now().time_since_epoch().count()};
  }
  UnixMillis WallTime() const override {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return {std::chrono::duration_cast<std::chrono::milliseconds>(now).count()};
  }
};

double SecondsSince(TimePoint start, const Clock& clock) {
  return static_cast<double>((clock.Now() - start).ns) / 1e9;
}

std::unique_ptr<SqliteLedger> Open(const std::string& path, const Clock* clock) {
  auto opened = SqliteLedger::Open(path, clock);
  if (!opened) {
    std::fprintf(stderr, "%s\n", opened.error().message.c_str());
    std::exit(1);
  }
  return std::move(*opened);
}

ExchangeRow Row(uint64_t n) {
  ExchangeRow row;
  char id[64];
  std::snprintf(id, sizeof id, "gen-01k9%022llu", static_cast<unsigned long long>(n));
  row.generation_id = id;
  std::snprintf(id, sizeof id, "01920000-0000-7000-8000-%012llu",
                static_cast<unsigned long long>(n));
  row.request_id = id;
  row.org_id = "org-" + std::to_string(n % 20);
  row.key_id = "key-" + std::to_string(n % 100);
  row.requested_model = row.model = "openai/gpt-oss-" + std::to_string(n % 10);
  row.price_revision = "2026-10-01.abcdef";
  row.created = {1'800'000'000 + static_cast<int64_t>(n / 1000)};
  return row;
}

ExchangeRow Settled(uint64_t n) {
  ExchangeRow row = Row(n);
  row.provider = "groq";
  row.tried = {{"groq", 200, "", Duration::Milliseconds(420)}};
  row.finish_reason = "stop";
  row.status = 200;
  row.prompt_tokens = 1200;
  row.completion_tokens = 340;
  row.settlement = Settlement::kExact;
  row.cost = row.upstream_cost = {123'456};
  row.total = Duration::Milliseconds(455);
  row.first_content = Duration::Milliseconds(300);
  row.overhead = {140'000};
  return row;
}

// One client that holds, and settles once it holds, again and again.
struct Client {
  LedgerWriter* writer;
  std::atomic<uint64_t>* next;
  std::atomic<uint64_t>* done;
  std::atomic<int>* running;
  uint64_t last;

  void Go() {
    const uint64_t n = next->fetch_add(1);
    if (n >= last) {
      running->fetch_sub(1);
      return;
    }
    writer->Hold(Row(n), {{500'000}, {500'000}, {}}, [this, n](const HoldAnswer& held) {
      if (!held.status.ok()) std::abort();
      writer->Settle(Settled(n), [this](const Status& status) {
        if (!status.ok()) std::abort();
        done->fetch_add(1);
        Go();
      });
    });
  }
};

uint64_t Play(LedgerWriter& writer, int clients, uint64_t first, uint64_t count) {
  std::atomic<uint64_t> next{first};
  std::atomic<uint64_t> done{0};
  std::atomic<int> running{clients};
  std::vector<Client> all(static_cast<size_t>(clients),
                          Client{&writer, &next, &done, &running, first + count});
  for (Client& each : all) each.Go();
  while (running.load() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return done.load();
}

// Many requests in few transactions: the file is what is wanted, not the pace.
uint64_t Fill(LedgerWriter& writer, uint64_t first, uint64_t count) {
  constexpr uint64_t kInOne = 20'000;
  for (uint64_t at = first; at < first + count; at += kInOne) {
    const Status filled = writer.RunTask([&](Database* db, Ledger* ledger, SqliteJournal* journal) {
      if (db->Execute("BEGIN IMMEDIATE") != SQLITE_OK) std::abort();
      for (uint64_t n = at; n < std::min(at + kInOne, first + count); ++n) {
        const ExchangeRow row = Settled(n);
        const UnixMillis now{row.created.s * 1000};
        journal->SetRow(&row);
        ledger->Hold(row.generation_id, row.org_id, {500'000}, {500'000}, {}, now);
        ledger->Settle(row.generation_id, row.cost, now);
        journal->SetRow(nullptr);
      }
      journal->FlushTotals();
      journal->WriteSnapshot(*ledger, false);
      if (!journal->ok() || db->Execute("COMMIT") != SQLITE_OK) std::abort();
      ledger->Release();
      journal->OnCommit();
      return Status();
    });
    if (!filled.ok()) std::abort();
  }
  return count;
}

void HoldAndLeave(LedgerWriter& writer, uint64_t first, uint64_t count) {
  std::atomic<uint64_t> held{0};
  for (uint64_t n = first; n < first + count; ++n) {
    writer.Hold(Row(n), {{500'000}, {500'000}, {}}, [&held](const HoldAnswer& answer) {
      if (!answer.status.ok()) std::abort();
      held.fetch_add(1);
    });
  }
  while (held.load() < count) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

void Run(const std::string& folder, uint64_t entries) {
  const SteadyClock clock;
  const std::string path = folder + "/ledger_bench.db";
  for (const char* end : {"", "-wal", "-shm", ".lock"}) std::filesystem::remove(path + end);
  auto ledger = Open(path, &clock);
  for (int i = 0; i < 20; ++i) {
    std::promise<void> told;
    ledger->writer().Order({LedgerOrder::Kind::kTopup,
                            "bench:" + std::to_string(i),
                            "org-" + std::to_string(i),
                            {},
                            {1'000'000'000'000'000},
                            {}},
                           [&told](const OrderAnswer&) { told.set_value(); });
    told.get_future().wait();
  }
  uint64_t made = 0;
  for (const int clients : {1, 16, 64, 256}) {
    const uint64_t count = clients == 1 ? 2'000 : 30'000;
    const uint64_t commits = ledger->writer().commits();
    const TimePoint start = clock.Now();
    made += Play(ledger->writer(), clients, made, count);
    const double took = SecondsSince(start, clock);
    std::printf("%3d clients: %8.0f requests/s (hold and settle, both durable), %llu commits\n",
                clients, static_cast<double>(count) / took,
                static_cast<unsigned long long>(ledger->writer().commits() - commits));
  }
  if (made < 100'000) made += Play(ledger->writer(), 256, made, 100'000 - made);
  ledger.reset();
  std::printf("%.0f bytes/request after %llu requests\n",
              static_cast<double>(std::filesystem::file_size(path)) / static_cast<double>(made),
              static_cast<unsigned long long>(made));
  if (entries == 0) return;
  ledger = Open(path, &clock);
  made += Fill(ledger->writer(), made, entries / 2 > made ? entries / 2 - made : 0);
  ledger.reset();
  for (const char* which : {"first", "second"}) {
    const TimePoint start = clock.Now();
    ledger = Open(path, &clock);
    std::printf("%s start with %llu entries: %.3f s\n", which,
                static_cast<unsigned long long>(2 * made), SecondsSince(start, clock));
    ledger.reset();
  }
  ledger = Open(path, &clock);
  HoldAndLeave(ledger->writer(), made, kOrphans);
  ledger.reset();
  const TimePoint orphaned = clock.Now();
  ledger = Open(path, &clock);
  std::printf("start with %zu holds of a process that is gone: %.3f s\n",
              ledger->writer().expired_at_start(), SecondsSince(orphaned, clock));
  ledger.reset();
  const TimePoint start = clock.Now();
  auto reader = LedgerReader::Open(path);
  const auto report = reader->Verify();
  std::printf("verify: %s, %lld entries in %.2f s\n", report->rule.empty() ? "sound" : "BROKEN",
              static_cast<long long>(report->entries), SecondsSince(start, clock));
}

}  // namespace
}  // namespace seekroute

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: ledger_bench FOLDER [ENTRIES]\n");
    return 2;
  }
  seekroute::Run(argv[1], argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 0);
  return 0;
}
