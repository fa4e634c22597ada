#include <condition_variable>
#include <mutex>

#include "base/time.h"
#include "billing/ledger.h"
#include "billing/memory_journal.h"
#include "bindings/core_error.h"
#include "bindings/pybind.h"
#include "bindings/released_gil.h"
#include "gateway/system.h"
#include "store/sqlite/ledger_reader.h"
#include "store/sqlite/prune.h"
#include "store/sqlite/sqlite_ledger.h"

namespace py = pybind11;

namespace seekroute {
namespace {

py::str Text(std::string_view text) { return py::str(text.data(), text.size()); }

py::tuple TupleOf(const Postings& p) {
  return py::make_tuple(p.available, p.held, p.debt, p.cash, p.revenue, p.loss);
}

// The state machine without a file, so that a model can be run beside it.
class MemoryLedger {
 public:
  // One result an operation: its word; of a hold (word, granted, available). A hold without a
  // credit line is prepaid.
  py::list Run(const py::list& operations) {
    py::list results;
    for (const py::handle each : operations) results.append(Apply(each.cast<py::tuple>()));
    return results;
  }

  py::list Entries() const {
    py::list entries;
    for (const LedgerEntry& entry : journal_.entries()) {
      entries.append(py::make_tuple(entry.seq, Text(NameOf(entry.kind)), entry.id, entry.org,
                                    TupleOf(entry.postings), entry.request));
    }
    return entries;
  }

  py::dict Balances() const {
    py::dict balances;
    for (const auto& [org, balance] : ledger_.balances()) {
      balances[py::str(org)] = py::make_tuple(balance.available, balance.held, balance.debt);
    }
    const Postings& own = ledger_.operator_balance();
    balances[py::none()] = py::make_tuple(own.cash, own.revenue, own.loss);
    return balances;
  }

 private:
  py::object Apply(const py::tuple& op) {
    const auto name = op[0].cast<std::string>();
    const auto text = [&op](size_t i) { return op[i].cast<std::string>(); };
    const auto money = [&op](size_t i) { return Money{op[i].cast<int64_t>()}; };
    const UnixMillis at{0};
    if (name == "hold") {
      const Money line = op.size() > 5 ? money(5) : Money{};
      const auto held = ledger_.Hold(text(1), text(2), money(3), money(4), line, at);
      return py::make_tuple(Text(NameOf(held.result)), held.granted.nano, held.available.nano);
    }
    if (name == "topup") return Word(ledger_.Topup(text(1), text(2), money(3), at));
    if (name == "settle") return Word(ledger_.Settle(text(1), money(2), at));
    if (name == "void") return Word(ledger_.Void(text(1), at));
    if (name == "expire") return Word(ledger_.Expire(text(1), at));
    if (name == "refund") return Word(ledger_.Refund(text(1), text(2), money(3), at));
    if (name == "adjust") {
      return Word(ledger_.Adjust(text(1), text(2), money(3), op[4].cast<bool>(), text(5), at));
    }
    if (name == "mark") {
      ledger_.Release();
      marked_ = journal_.entries().size();
      return py::none();
    }
    if (name == "rollback") {
      ledger_.Rollback(0);
      journal_.Truncate(marked_);
      return py::none();
    }
    throw py::value_error("no such operation: " + name);
  }

  static py::str Word(LedgerResult result) { return Text(NameOf(result)); }

  MemoryJournal journal_;
  Ledger ledger_{&journal_};
  size_t marked_ = 0;
};

py::object ObjectOf(const LedgerCell& cell) {
  if (const auto* number = std::get_if<int64_t>(&cell)) return py::int_(*number);
  if (const auto* text = std::get_if<std::string>(&cell)) return py::str(*text);
  return py::none();
}

py::dict DictOf(const LedgerRow& row) {
  py::dict dict;
  for (const auto& [name, cell] : row) dict[py::str(name)] = ObjectOf(cell);
  return dict;
}

py::list ListOf(const LedgerRows& rows) {
  py::list list;
  for (const LedgerRow& row : rows) list.append(DictOf(row));
  return list;
}

// Memory is bounded by the page.
int64_t Page(int64_t limit) {
  constexpr int64_t kMost = 10'000;
  if (limit < 1 || limit > kMost) throw py::value_error("limit: expected 1 to 10000");
  return limit;
}

// What keeps a file from being opened does not pass by itself, whatever requests are told.
template <typename T>
T Opened(Result<T> opened) {
  if (!opened) {
    Error error = opened.error();
    error.retry_after_ms = 0;
    ThrowError(error);
  }
  return std::move(*opened);
}

// A ledger file of a process without a gateway. Reads go to a connection of their own, so any
// thread may ask; everything waits without the GIL.
class LedgerFile {
  // First: its callers below need its deduced type.
  template <typename Ask>
  auto Read(const Ask& ask) {
    const ReleasedGil released;
    LedgerReader reader = Unwrap(LedgerReader::Open(path_));
    return Unwrap(ask(reader));
  }

 public:
  LedgerFile(std::string path, bool read_only, const std::string& orphans)
      : path_(std::move(path)) {
    if (orphans != "expire" && orphans != "charge") {
      throw py::value_error("orphans: expected \"expire\" or \"charge\"");
    }
    const Orphans end = orphans == "charge" ? Orphans::kCharge : Orphans::kExpire;
    const ReleasedGil released;
    if (read_only) {
      const LedgerReader reader = Opened(LedgerReader::Open(path_));
    } else {
      ledger_ = Opened(SqliteLedger::Open(path_, &clock_, end));
    }
  }

  // Who is waiting for an answer still gets it.
  void Close() {
    std::shared_ptr<SqliteLedger> last = std::move(ledger_);
    ledger_ = nullptr;
    closed_ = true;
    const ReleasedGil released;
    last.reset();
  }

  // For Gateway: the ledger itself, for as long as either is open.
  py::capsule Share() {
    return {new std::shared_ptr<LedgerKeeper>(Ledger()),
            [](void* shared) { delete static_cast<std::shared_ptr<LedgerKeeper>*>(shared); }};
  }

  // (result, available, held, debt) after the order.
  py::tuple Order(LedgerOrder order) {
    const std::shared_ptr<SqliteLedger> ledger = Ledger();
    struct Wait {
      std::mutex mu;
      std::condition_variable done;
      std::optional<OrderAnswer> answer;
    };
    const auto wait = std::make_shared<Wait>();
    {
      const ReleasedGil released;
      ledger->writer().Order(std::move(order), [wait](const OrderAnswer& answer) {
        const std::lock_guard<std::mutex> lock(wait->mu);
        wait->answer = answer;
        wait->done.notify_one();
      });
      std::unique_lock<std::mutex> lock(wait->mu);
      wait->done.wait(lock, [&wait] { return wait->answer.has_value(); });
    }
    const OrderAnswer& answer = *wait->answer;
    if (!answer.status.ok()) ThrowError(answer.status.error());
    const Postings& p = answer.balance;
    return py::make_tuple(Text(NameOf(answer.result)), p.available, p.held, p.debt);
  }

  py::tuple Balance(const std::string& org) {
    return TupleOf(Read([&](LedgerReader& reader) { return reader.Balance(org); }));
  }
  py::list Balances() {
    return ListOf(Read([](LedgerReader& reader) { return reader.Balances(); }));
  }
  py::object Generation(const std::string& id) {
    LedgerRows attempts;
    int64_t refunded = 0;
    std::string routing;
    const auto row = Read([&](LedgerReader& reader) -> Result<std::optional<LedgerRow>> {
      // The row first: one that has ended has its attempts.
      Result<std::optional<LedgerRow>> found = reader.Generation(id);
      if (!found || !*found) return found;
      Result<LedgerRows> tried = reader.Attempts(id);
      if (!tried) return tried.error();
      attempts = std::move(*tried);
      const Result<int64_t> sum = reader.Refunded(id);
      if (!sum) return sum.error();
      refunded = *sum;
      Result<std::string> routed = reader.Routing(id);
      if (!routed) return routed.error();
      routing = std::move(*routed);
      return found;
    });
    if (!row) return py::none();
    py::dict dict = DictOf(*row);
    dict["attempts"] = ListOf(attempts);
    dict["refunded"] = refunded;
    dict["routing"] = routing.empty() ? py::object(py::none()) : py::object(py::str(routing));
    return dict;
  }
  py::list FindRequests(const std::string& id, bool begins, int64_t most) {
    Page(most);
    return ListOf(
        Read([&](LedgerReader& reader) { return reader.FindRequests(id, begins, most); }));
  }
  py::list Rows(const std::string& org, const std::string& key, std::optional<int64_t> before,
                int64_t limit) {
    const RowFilter filter{org, key, before, Page(limit)};
    return ListOf(Read([&](LedgerReader& reader) { return reader.Requests(filter); }));
  }
  py::list Activity(const std::string& org, const std::string& key, int64_t from,
                    std::optional<int64_t> until) {
    const DayFilter filter{org, key, from, until};
    return ListOf(Read([&](LedgerReader& reader) { return reader.Activity(filter); }));
  }
  py::list KeyCharges() {
    return ListOf(Read([](LedgerReader& reader) { return reader.KeyCharges(); }));
  }
  py::list Days(DayPage page) {
    Page(page.limit);
    return ListOf(Read([&](LedgerReader& reader) { return reader.Days(page); }));
  }
  py::dict Account(const std::string& org) {
    return DictOf(Read([&](LedgerReader& reader) { return reader.Account(org); }));
  }
  py::dict KeyUse(const std::string& org, const std::string& key, KeyDays days) {
    return DictOf(Read([&](LedgerReader& reader) { return reader.KeyUse(org, key, days); }));
  }
  py::list Entries(int64_t after, int64_t limit) {
    Page(limit);
    return ListOf(Read([&](LedgerReader& reader) { return reader.Entries(after, limit); }));
  }
  py::list OrdersAfter(const OrderName& after, int64_t limit) {
    Page(limit);
    return ListOf(Read([&](LedgerReader& reader) { return reader.OrdersAfter(after, limit); }));
  }
  py::list FindOrders(const std::vector<std::pair<std::string, std::string>>& wanted) {
    std::vector<OrderName> names;
    names.reserve(wanted.size());
    for (const auto& [kind, id] : wanted) names.push_back({KindOf(kind), id});
    const auto rows = Read([&](LedgerReader& reader) { return reader.FindOrders(names); });
    py::list list;
    for (const LedgerRow& row : rows) {
      row.empty() ? list.append(py::none()) : list.append(DictOf(row));
    }
    return list;
  }
  std::string Identity() {
    return Read([](LedgerReader& reader) { return reader.Identity(); });
  }
  py::dict Verify() {
    const LedgerReport report = Read([](LedgerReader& reader) { return reader.Verify(); });
    py::dict dict;
    dict["rule"] = report.rule;
    dict["seq"] = report.seq;
    dict["why"] = report.why;
    dict["entries"] = report.entries;
    dict["requests"] = report.requests;
    return dict;
  }
  void BackUp(const std::string& path) {
    Status status;
    {
      const ReleasedGil released;
      Result<LedgerReader> reader = LedgerReader::Open(path_);
      status = reader ? reader->BackUpTo(path) : Status(reader.error());
    }
    if (!status.ok()) ThrowError(status.error());
  }
  py::tuple PruneBefore(int64_t older_than_ms) {
    const std::shared_ptr<SqliteLedger> ledger = Ledger();
    Pruned pruned;
    {
      const ReleasedGil released;
      pruned = Unwrap(Prune(&ledger->writer(), {older_than_ms}));
    }
    return py::make_tuple(pruned.entries, pruned.requests);
  }
  // Empty while money is taken; else why not.
  std::string Trouble() {
    const Status health = Ledger()->writer().health();
    return health.ok() ? std::string() : health.error().message;
  }
  // The code of what refuses holds and orders for the time being; empty: nothing does.
  std::string Blocked() {
    const Status blocked = Ledger()->writer().blocked();
    return blocked.ok() ? std::string() : std::string(blocked.error().name());
  }
  size_t Expired() { return Ledger()->writer().expired_at_start(); }
  size_t Charged() { return Ledger()->writer().charged_at_start(); }

 private:
  // The number that the journal has for an order's word.
  static int64_t KindOf(const std::string& word) {
    EntryKind kind = EntryKind::kAdjust;
    if (word == "topup") {
      kind = EntryKind::kTopup;
    } else if (word == "refund") {
      kind = EntryKind::kRefund;
    } else if (word != "adjust" && word != "chargeback") {
      throw py::value_error("no such kind of order: " + word);
    }
    return static_cast<int64_t>(kind);
  }

  std::shared_ptr<SqliteLedger> Ledger() const {
    if (!ledger_) {
      throw py::value_error(closed_ ? "the ledger is closed" : "the ledger is open for reading");
    }
    return ledger_;
  }

  const std::string path_;
  SystemClock clock_;
  std::shared_ptr<SqliteLedger> ledger_;  // null: reads only. Guarded by the GIL.
  bool closed_ = false;
};

using Kind = LedgerOrder::Kind;
using Days = std::pair<int64_t, int64_t>;

}  // namespace

void BindLedger(py::module_& m) {
  py::class_<MemoryLedger>(m, "MemoryLedger", py::is_final())
      .def(py::init())
      .def("run", &MemoryLedger::Run, py::arg("operations"))
      .def("entries", &MemoryLedger::Entries)
      .def("balances", &MemoryLedger::Balances);

  m.def(
      "ledger_identity",
      [](const std::string& path) {
        const ReleasedGil released;
        return Unwrap(LedgerReader::IdentityOf(path));
      },
      py::arg("path"));

  py::class_<LedgerFile>(m, "LedgerFile", py::is_final())
      .def(py::init<std::string, bool, const std::string&>(), py::arg("path"), py::kw_only(),
           py::arg("read_only") = false, py::arg("orphans") = "expire")
      .def("close", &LedgerFile::Close)
      .def("_share", &LedgerFile::Share)
      .def(
          "topup",
          [](LedgerFile& file, std::string id, std::string org, int64_t amount) {
            return file.Order({Kind::kTopup, std::move(id), std::move(org), {}, {amount}, {}});
          },
          py::arg("id"), py::arg("org"), py::arg("amount_nano"))
      .def(
          "adjust",
          [](LedgerFile& file, std::string id, std::string org, int64_t amount, std::string note,
             bool chargeback) {
            const Kind kind = chargeback ? Kind::kChargeback : Kind::kAdjust;
            return file.Order({kind, std::move(id), std::move(org), {}, {amount}, std::move(note)});
          },
          py::arg("id"), py::arg("org"), py::arg("amount_nano"), py::arg("note"), py::kw_only(),
          py::arg("chargeback") = false)
      .def(
          "refund",
          [](LedgerFile& file, std::string id, std::string generation, int64_t amount) {
            return file.Order(
                {Kind::kRefund, std::move(id), {}, std::move(generation), {amount}, {}});
          },
          py::arg("id"), py::arg("generation"), py::arg("amount_nano"))
      .def(
          "undelivered",
          [](LedgerFile& file, std::string id, std::string generation, int64_t amount) {
            return file.Order(
                {Kind::kUndelivered, std::move(id), {}, std::move(generation), {amount}, {}});
          },
          py::arg("id"), py::arg("generation"), py::arg("amount_nano"))
      .def("balance", &LedgerFile::Balance, py::arg("org"))
      .def("balances", &LedgerFile::Balances)
      .def("generation", &LedgerFile::Generation, py::arg("id"))
      .def("find_requests", &LedgerFile::FindRequests, py::arg("id"), py::kw_only(),
           py::arg("begins"), py::arg("most"))
      .def("rows", &LedgerFile::Rows, py::kw_only(), py::arg("org") = "", py::arg("key") = "",
           py::arg("before") = py::none(), py::arg("limit") = 100)
      .def("activity", &LedgerFile::Activity, py::kw_only(), py::arg("org") = "",
           py::arg("key") = "", py::arg("since") = 0, py::arg("until") = py::none())
      .def("key_charges", &LedgerFile::KeyCharges)
      .def(
          "days",
          [](LedgerFile& file, std::string org, std::string key, bool by_key, int64_t from,
             int64_t to, int64_t limit, int64_t offset) {
            return file.Days({std::move(org), std::move(key), by_key, from, to, limit, offset});
          },
          py::arg("org"), py::kw_only(), py::arg("key") = "", py::arg("by_key") = false,
          py::arg("first"), py::arg("last"), py::arg("limit"), py::arg("offset") = 0)
      .def("account", &LedgerFile::Account, py::arg("org"))
      .def(
          "key_use",
          [](LedgerFile& file, const std::string& org, const std::string& key, Days day, Days week,
             Days month, Days window) {
            const auto span = [](Days days) { return DaySpan{days.first, days.second}; };
            return file.KeyUse(org, key, {span(day), span(week), span(month), span(window)});
          },
          py::arg("org"), py::arg("key"), py::kw_only(), py::arg("day"), py::arg("week"),
          py::arg("month"), py::arg("window"))
      .def("entries", &LedgerFile::Entries, py::arg("after") = 0, py::arg("limit") = 1000)
      .def(
          "orders",
          [](LedgerFile& file, int64_t after_kind, std::string after_id, int64_t limit) {
            return file.OrdersAfter({after_kind, std::move(after_id)}, limit);
          },
          py::arg("after_kind") = 0, py::arg("after_id") = "", py::arg("limit") = 1000)
      .def("find_orders", &LedgerFile::FindOrders, py::arg("names"))
      .def_property_readonly("identity", &LedgerFile::Identity)
      .def("verify", &LedgerFile::Verify)
      .def("backup", &LedgerFile::BackUp, py::arg("path"))
      .def("prune", &LedgerFile::PruneBefore, py::arg("older_than_ms"))
      .def_property_readonly("trouble", &LedgerFile::Trouble)
      .def_property_readonly("blocked", &LedgerFile::Blocked)
      .def_property_readonly("expired_at_start", &LedgerFile::Expired)
      .def_property_readonly("charged_at_start", &LedgerFile::Charged);
}

}  // namespace seekroute
