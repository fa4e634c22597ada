// A ledger file in a folder of its own, asked as a test likes to ask: one call, one answer.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "store/sqlite/database.h"
#include "store/sqlite/ledger_reader.h"
#include "store/sqlite/sqlite_ledger.h"

namespace seekroute::testing {

// Wall time as set; the monotonic clock is the real one, because threads wait by it.
class WallClock : public Clock {
 public:
  TimePoint Now() const override {
    return {std::chrono::steady_clock::now().time_since_epoch().count()};
  }
  UnixMillis WallTime() const override { return {wall_ms.load()}; }
  std::atomic<int64_t> wall_ms{1'800'000'000'000};
};

class LedgerFolder {
 public:
  LedgerFolder() {
    // In memory where that is offered: thousands of files are made, and no power fails.
    std::filesystem::path parent = "/dev/shm";
    if (!std::filesystem::is_directory(parent)) parent = std::filesystem::temp_directory_path();
    std::string pattern = (parent / "ledgerXXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  ~LedgerFolder() { std::filesystem::remove_all(path_); }
  LedgerFolder(const LedgerFolder&) = delete;
  LedgerFolder& operator=(const LedgerFolder&) = delete;

  std::string file() const { return path_ + "/ledger.db"; }
  std::string path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline ExchangeRecord RowOf(const std::string& id, const std::string& org = "org",
                            const std::string& key = "key") {
  ExchangeRecord row;
  row.generation_id = id;
  row.request_id = "01920000-0000-7000-8000-000000000000";
  row.org_id = org;
  row.key_id = key;
  row.requested_model = row.model = "openai/gpt-oss-120b";
  row.price_revision = "2026-10-01.abcdef";
  row.created = {1'800'000'000};
  return row;
}

// What an exchange that was answered would settle.
inline ExchangeRecord AnsweredRow(const std::string& id, int64_t cost,
                                  const std::string& org = "org", const std::string& key = "key") {
  ExchangeRecord row = RowOf(id, org, key);
  row.provider = "groq";
  row.finish_reason = "stop";
  row.status = 200;
  row.attempts = 1;
  row.prompt_tokens = 1200;
  row.completion_tokens = 340;
  row.settlement = Settlement::kExact;
  row.cost = {cost};
  row.upstream_cost = {cost};
  row.total = Duration::Milliseconds(455);
  row.first_content = Duration::Milliseconds(300);
  row.overhead = Duration::Milliseconds(1);
  row.tried = {{"groq", 200, "", row.total - row.overhead}};
  return row;
}

inline HoldAnswer HoldNow(LedgerWriter& writer, ExchangeRecord row, HoldRequest request) {
  auto answer = std::make_shared<std::promise<HoldAnswer>>();
  writer.Hold(std::move(row), request,
              [answer](const HoldAnswer& held) { answer->set_value(held); });
  return answer->get_future().get();
}
inline HoldAnswer HoldNow(LedgerWriter& writer, const std::string& id, int64_t amount) {
  return HoldNow(writer, RowOf(id), {{amount}, {amount}, {}});
}
inline Status SettleNow(LedgerWriter& writer, ExchangeRecord row) {
  auto answer = std::make_shared<std::promise<Status>>();
  writer.Settle(std::move(row), [answer](const Status& status) { answer->set_value(status); });
  return answer->get_future().get();
}
inline OrderAnswer OrderNow(LedgerWriter& writer, LedgerOrder order) {
  auto answer = std::make_shared<std::promise<OrderAnswer>>();
  writer.Order(std::move(order), [answer](const OrderAnswer& done) { answer->set_value(done); });
  return answer->get_future().get();
}
inline OrderAnswer TopupNow(LedgerWriter& writer, const std::string& id, int64_t amount,
                            const std::string& org = "org") {
  return OrderNow(writer, {LedgerOrder::Kind::kTopup, id, org, {}, {amount}, {}});
}

// A ledger that is open, and can be opened again.
class LedgerTest : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }
  void Open() {
    ledger_.reset();
    auto opened = SqliteLedger::Open(folder_.file(), &clock_);
    ASSERT_TRUE(opened) << opened.error().message;
    ledger_ = std::move(*opened);
  }
  LedgerWriter& writer() { return ledger_->writer(); }

  LedgerReader Reader() {
    auto reader = LedgerReader::Open(folder_.file());
    EXPECT_TRUE(reader) << reader.error().message;
    return std::move(*reader);
  }
  Postings Balance(const std::string& org = "org") {
    auto balance = Reader().Balance(org);
    EXPECT_TRUE(balance);
    return *balance;
  }
  LedgerCell Cell(const std::string& generation, std::string_view column) {
    const auto row = Reader().Generation(generation);
    EXPECT_TRUE(row && *row);
    for (const auto& [name, cell] : **row) {
      if (name == column) return cell;
    }
    return {};
  }
  int64_t Ask(const std::string& sql) {
    Result<Database> db = Database::Open(folder_.file(), Database::Mode::kReadOnly);
    return db->QueryInt(sql).value();
  }

  LedgerFolder folder_;
  WallClock clock_;
  std::unique_ptr<SqliteLedger> ledger_;
};

// "" when every invariant holds.
inline std::string BrokenRule(const std::string& path) {
  Result<LedgerReader> reader = LedgerReader::Open(path);
  if (!reader) return reader.error().message;
  const Result<LedgerReport> report = reader->Verify();
  if (!report) return report.error().message;
  return report->rule.empty()
             ? ""
             : report->rule + " at " + std::to_string(report->seq) + ": " + report->why;
}

}  // namespace seekroute::testing
