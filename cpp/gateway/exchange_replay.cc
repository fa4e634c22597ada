// What outlives an exchange: its claim of an Idempotency-Key, its answer for who repeats it, and
// what it had delivered should this process die.
#include <algorithm>

#include "base/failpoint.h"
#include "gateway/exchange.h"

namespace seekroute {

// False: the request is a repetition, and was answered as such or refused.
Status Exchange::ClaimIdempotency(std::shared_ptr<const StoredAnswer>* stored) {
  Status checked = IdempotencyTable::CheckHeader(in_.idempotency_key);
  if (!checked.ok()) return checked;
  const bool stores = key_ && key_->store_answers;
  const Mac body = in_.scan ? in_.scan->digest : IdempotencyTable::DigestOf(in_.body);
  const IdempotencyClaim claim = IdempotencyTable::ClaimOf(row_.key_id, in_.idempotency_key, body);
  Status taken =
      world_.idempotency->Claim(claim, row_.generation_id, row_.created, stores ? stored : nullptr);
  if (!taken.ok()) return taken;
  claimed_ = claim;
  if (stores) outbox_.Record(std::make_unique<AnswerRecorder>());
  return taken;
}

// As the first client was answered, but for the id of this request. Nothing is sent, held, charged
// or stored.
void Exchange::Replay(const StoredAnswer& stored) {
  row_.generation_id = stored.generation_id;
  row_.status = stored.head.status;
  row_.settlement = Settlement::kFree;
  UpdateTimes();
  ResponseHead head = stored.head;
  for (auto& [name, value] : head.headers) {
    if (name == "x-request-id") value = row_.request_id;
  }
  head.Add("x-seekroute-idempotent-replay", "true");
  outbox_.Head(std::move(head));
  outbox_.Rest(stored.body);
  Done();
}

// After the last byte of whatever the client got.
void Exchange::EndClaim() {
  if (!claimed_) return;
  std::shared_ptr<const StoredAnswer> answer;
  if (!error_) answer = outbox_.TakeRecorded(row_.generation_id);
  world_.idempotency->End(claimed_->name, IsSpent(), std::move(answer));
  claimed_.reset();
}

void Exchange::NoteDelivery(TimePoint now) {
  const Duration interval = world_.options->note_interval;
  if (!held_ || interval.ns == 0 || note_at_ != TimePoint::Never()) return;
  note_at_ = now + interval;
}

// What the client would pay if it left now, should this process die.
void Exchange::NoteProgress() {
  note_at_ = TimePoint::Never();
  ExchangeRecord note = row_;
  note.tried.emplace_back();  // the attempt that runs, as if it had been counted
  Enter(BillNow(Ending::kClientLeft), &note);
  note.cost = std::min(note.cost, note.held);
  world_.store->Note(in_.id, note);
}

}  // namespace seekroute
