// What operations do to the books: inside a transaction, on the writer's thread.
#include <algorithm>
#include <optional>
#include <string>

#include "store/sqlite/ledger_writer.h"

namespace seekroute {
namespace {

Error Refusal(LedgerResult result, const std::string& org) {
  const std::string why = result == LedgerResult::kDebt
                              ? " owes as much as it may; a top-up repays the debt first"
                              : " has too little credit; top up, or ask for fewer tokens";
  return MakeError(ErrorCode::kInsufficientCredits, "organization " + org + why);
}

}  // namespace

void LedgerWriter::Apply(Operation* operation) {
  switch (operation->kind) {
    case Operation::Kind::kHold:
      return ApplyHold(operation);
    case Operation::Kind::kSettle:
      return ApplySettle(operation);
    case Operation::Kind::kOrder:
      return ApplyOrder(operation);
    case Operation::Kind::kNote:
      return ApplyNote(*operation->row);
  }
}

void LedgerWriter::ApplyHold(Operation* operation) {
  const ExchangeRecord& row = *operation->row;
  const HoldRequest& request = operation->request;
  HoldAnswer& answer = operation->hold_answer;
  answer = HoldAnswer();
  if (request.claim) {
    if (std::optional<Error> taken = claims_->Taken(*request.claim, ClaimTime())) {
      answer.status = *std::move(taken);
      return;
    }
  }
  Money amount = request.amount;
  if (request.key_limit) {
    const KeySpends::Rest rest = spends_.RestOf(row, *request.key_limit, journal_.get());
    const Money left = std::max(rest.left, Money{});
    if (left < request.at_least) {
      answer.available = rest.left;
      answer.held = rest.held;
      answer.key_limited = true;
      answer.status = MakeError(ErrorCode::kInsufficientCredits,
                                "the key's spending limit is reached; raise it, or wait");
      return;
    }
    amount = request.share ? ShareOf(amount, request.at_least, left) : std::min(amount, left);
  }
  if (request.share) {
    amount = ShareOf(amount, request.at_least, ledger_->SpendableOf(row.org_id, request.line));
  }
  journal_->SetRow(&row);
  const Ledger::HoldResult held =
      ledger_->Hold(row.generation_id, row.org_id, amount, request.at_least, request.line, Now());
  journal_->SetRow(nullptr);
  answer.available = held.available;
  switch (held.result) {
    case LedgerResult::kOk:
      spends_.Count(row, held.granted, held.granted);
      if (request.claim) claims_->Put(*request.claim, row.generation_id, ClaimTime());
      answer.granted = held.granted;
      return;
    case LedgerResult::kInsufficient:
    case LedgerResult::kDebt:
      answer.status = Refusal(held.result, row.org_id);
      answer.held.nano = ledger_->BalanceOf(row.org_id).held;
      if (const Money debt{ledger_->BalanceOf(row.org_id).debt}; debt < Money{})
        answer.available.nano = request.line.nano + debt.nano;
      return;
    default:
      // One exchange, one id, one hold: a second one must not be served for the first one's money.
      answer.status =
          MakeError(ErrorCode::kInternal, "the hold of " + row.generation_id +
                                              " was refused: " + std::string(NameOf(held.result)));
  }
}

void LedgerWriter::ApplySettle(Operation* operation) {
  const ExchangeRecord& row = *operation->row;
  operation->status = Status();
  const auto live = ledger_->holds().find(row.generation_id);
  const Money held = live == ledger_->holds().end() ? Money{} : live->second.amount;
  const bool nothing = row.cost.nano == 0 && (row.settlement == Settlement::kFailed ||
                                              row.settlement == Settlement::kCancelled);
  journal_->SetRow(&row);
  const LedgerResult result = nothing ? ledger_->Void(row.generation_id, Now())
                                      : ledger_->Settle(row.generation_id, row.cost, Now());
  journal_->SetRow(nullptr);
  if (result == LedgerResult::kOk) {
    spends_.Count(row, {std::min(row.cost, held).nano - held.nano}, {-held.nano});
    notes_->Remove(row.generation_id);
    // It was not sent, or we ourselves have stopped it.
    if (nothing && (row.attempts == 0 || row.stopped)) claims_->Free(row.generation_id);
  } else if (result == LedgerResult::kConflict || result == LedgerResult::kInvalid) {
    operation->status =
        MakeError(ErrorCode::kInternal, "the settlement of " + row.generation_id +
                                            " was refused: " + std::string(NameOf(result)));
  }
}

void LedgerWriter::ApplyNote(const ExchangeRecord& row) {
  if (ledger_->holds().contains(row.generation_id)) notes_->Put(row, Now());
}

void LedgerWriter::ApplyOrder(Operation* operation) {
  const LedgerOrder& order = operation->order;
  OrderAnswer& answer = operation->order_answer;
  answer = OrderAnswer();
  std::string org = order.org;
  switch (order.kind) {
    case LedgerOrder::Kind::kTopup:
      answer.result = ledger_->Topup(order.id, org, order.amount, Now());
      break;
    case LedgerOrder::Kind::kAdjust:
    case LedgerOrder::Kind::kChargeback:
      answer.result =
          ledger_->Adjust(order.id, org, order.amount, order.kind == LedgerOrder::Kind::kChargeback,
                          order.note, Now());
      break;
    case LedgerOrder::Kind::kRefund:
    case LedgerOrder::Kind::kUndelivered:
      answer.result = ApplyRefund(order);
      if (const auto hold = journal_->Find(EntryKind::kHold, order.request)) org = hold->org;
      break;
  }
  answer.balance = ledger_->BalanceOf(org);
}

// The claim goes in the transaction of the refund: who has the money back may ask again.
LedgerResult LedgerWriter::ApplyRefund(const LedgerOrder& order) {
  const bool undelivered = order.kind == LedgerOrder::Kind::kUndelivered;
  const LedgerResult result = undelivered && order.amount.nano == 0
                                  ? LedgerResult::kOk
                                  : ledger_->Refund(order.id, order.request, order.amount, Now());
  const bool done = result == LedgerResult::kOk || result == LedgerResult::kExists;
  if (undelivered && done) claims_->Free(order.request);
  return result;
}

}  // namespace seekroute
