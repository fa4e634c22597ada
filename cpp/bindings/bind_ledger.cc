#include "billing/ledger.h"
#include "billing/memory_journal.h"
#include "bindings/pybind.h"

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
  // One result an operation: its word; of a hold (word, granted, available).
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
      const auto held = ledger_.Hold(text(1), text(2), money(3), money(4), at);
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

}  // namespace

void BindLedger(py::module_& m) {
  py::class_<MemoryLedger>(m, "MemoryLedger", py::is_final())
      .def(py::init())
      .def("run", &MemoryLedger::Run, py::arg("operations"))
      .def("entries", &MemoryLedger::Entries)
      .def("balances", &MemoryLedger::Balances);
}

}  // namespace seekroute
