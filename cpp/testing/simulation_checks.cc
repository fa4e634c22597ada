// What a simulated run must have kept to.
#include <algorithm>
#include <string>
#include <vector>

#include "testing/simulation.h"

namespace seekroute::testing {
namespace {

size_t Count(const std::string& text, const std::string& what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

// The text and the arguments of calls in a client's stream, in the order in which they came; the
// simulator's words need no unescaping.
std::string ContentOf(const std::string& stream) {
  const std::string marks[] = {R"("content":")", R"("arguments":")"};
  std::string content;
  for (size_t at = 0;;) {
    const size_t text = stream.find(marks[0], at);
    const size_t arguments = stream.find(marks[1], at);
    at = std::min(text, arguments);
    if (at == std::string::npos) return content;
    at += marks[text < arguments ? 0 : 1].size();
    const size_t end = std::min(stream.find('"', at), stream.size());
    content += stream.substr(at, end - at);
    at = end;
  }
}

}  // namespace

void Simulation::Check(std::vector<std::string>* broken) const {
  if (engine_.size() != 0) broken->emplace_back("an exchange was never buried");
  if (transport_.live() != 0) broken->emplace_back("a transfer was never ended");
  if (read_outs_.taken() != 0) broken->emplace_back("a read-out was never ended");
  broken->insert(broken->end(), early_.begin(), early_.end());
  for (std::string& line : store_.CheckAtRest()) broken->push_back(std::move(line));
  for (const auto& [id, client] : clients_) CheckClient(id, client, broken);
}

void Simulation::CheckClient(ExchangeId id, const Client& client,
                             std::vector<std::string>* broken) const {
  const auto expect = [&](bool holds, const std::string& promise) {
    if (!holds) broken->push_back("exchange " + std::to_string(id) + ": " + promise);
  };
  const std::vector<const SeenTransfer*> attempts = AttemptsOf(id);
  expect(client.ends == 1, "ends exactly once");
  expect(client.heads <= 1, "one head at most");
  expect(client.heads == 1 || client.cancelled, "a client that stays gets an answer");
  expect(client.ended <= client.submitted + LongestTotal(client) + kSlack, "ends in time");
  expect(client.cancelled_at == TimePoint::Never() || !client.cancelled || MayReadOut(client) ||
             client.ended <= client.cancelled_at + kSlack,
         "a cancelled exchange ends at once");
  expect(!client.cancelled || client.received.size() == client.received_by_then,
         "who has left is sent nothing");
  expect(static_cast<size_t>(client.row.attempts) == attempts.size(), "counts its attempts");
  expect(attempts.size() <= static_cast<size_t>(options_.retry.max_attempts), "attempt cap");
  expect(client.most_unacked <= kWindow + 4 * kLargestPiece + 600, "the window bounds what waits");

  const CreditStore::Booking* const booking = store_.Find(id);
  const int settled = booking == nullptr ? 0 : booking->settles;
  const bool stood = booking != nullptr && booking->state == CreditStore::State::kSettled;
  expect(settled <= 1, "one row at most");
  if (!attempts.empty() || stood) expect(settled == 1, "one row an admitted request");
  if (!IsBooked(client) && attempts.empty()) expect(settled == 0, "no row of a refused one");
  CheckMoney(id, client, broken);
  CheckDeadlines(id, client, broken);
  if (client.automatic) CheckChoice(id, client, broken);
  CheckAttempts(id, client, attempts, broken);
  if (!client.valid) {
    expect(attempts.empty() && client.status >= 400, "an invalid request never goes upstream");
    return;
  }
  const bool ok = client.row.error.empty();
  if (client.cancelled || attempts.empty()) return;
  if (ok) {
    expect(client.status == 200, "success is 200");
    expect(client.row.prompt_tokens > 0 || client.row.estimated, "usage comes back");
    expect(Count(client.received, "\"prompt_tokens\"") == 1, "usage exactly once");
    const bool nothing =
        client.inputs == 0 && client.row.finish_reason.empty() && client.row.completion_tokens == 0;
    const bool waived = IsBooked(client) && client.row.estimated &&
                        options_.on_missing_usage == ChargePolicy::kFree;
    const bool free = nothing || waived;
    expect(free == (client.row.settlement == Settlement::kFree), "free for a reason");
    const int64_t rate = free ? 0 : client.row.created < kPriceChange ? 3000 : 1000;
    int64_t price = client.row.prompt_tokens * rate;
    if (!free) price += client.row.completion_tokens * kOutputNano;
    if (IsBooked(client)) price = std::min(price, client.row.held.nano);
    expect(client.row.cost.nano == price, "the price is that of the moment of admission");
  }
  if (client.stream && client.status == 200) {
    const size_t done = Count(client.received, "data: [DONE]");
    const size_t errors = Count(client.received, "data: {\"error\":{");
    expect(errors == Count(client.received, "\"error\":{"), "an error event begins with it");
    expect(done + errors == 1, "a stream ends in [DONE] or one error event");
    expect((done == 1) == ok, "[DONE] means success");
    const std::string content = ContentOf(client.received);
    const SeenTransfer& last = *attempts.back();
    if (ok) {
      expect(content == last.script.content, "the whole content and all arguments, once");
    } else if (!last.script.content.empty()) {
      expect(last.script.content.starts_with(content), "content is a prefix, never repeated");
    }
    for (const SeenTransfer* attempt : attempts) {
      expect(attempt == &last || attempt->started <= client.submitted + client.row.first_content,
             "no attempt after content");
    }
  } else if (ok) {
    expect(client.received.find(attempts.back()->script.content) != std::string::npos,
           "the answer is the upstream's");
  }
  const UpstreamScript& last = attempts.back()->script;
  if (ok) expect(last.well_formed, "only a well-formed answer is a success");
  const bool plenty = attempts.back()->started + kPlenty < client.submitted + LongestTotal(client);
  if (last.well_formed && last.prompt && plenty && !client.row.stopped) {
    expect(ok, "a well-formed, prompt answer is a success, not " + client.row.error);
  }
  if (!client.stream && !client.row.stopped && last.well_formed &&
      last.ending == UpstreamScript::Ending::kClean) {
    Duration takes = last.head_delay;
    for (const UpstreamScript::Piece& piece : last.pieces) takes = takes + piece.delay;
    const bool in_time =
        attempts.back()->started + takes + kSlack < client.submitted + LongestTotal(client) &&
        takes + kSlack < TimeoutsOf(client, attempts.size() - 1).total;
    if (in_time) expect(ok, "a plain answer has the whole time");
  }
}

// Those of the endpoint that an attempt was made at, with nothing left to the gateway's own.
CallTimeouts Simulation::TimeoutsOf(const Client& client, size_t attempt) const {
  CallTimeouts own;
  const bool tried = attempt < client.row.tried.size();
  const bool elsewhere = tried && !client.row.tried[attempt].model.empty();
  const Model* const model =
      snapshot_->catalog.Find(elsewhere          ? client.row.tried[attempt].model
                              : client.automatic ? client.row.model
                                                 : client.row.requested_model);
  if (model != nullptr && tried) {
    const std::string& provider = client.row.tried[attempt].provider;
    for (const Endpoint& each : model->endpoints) {
      if (snapshot_->providers[each.provider].id == provider) own = each.timeouts;
    }
  }
  return {.first_byte = OwnOr(own.first_byte, options_.first_byte_timeout),
          .first_content = OwnOr(own.first_content, options_.first_content_timeout),
          .idle = OwnOr(own.idle, options_.idle_timeout),
          .total = OwnOr(own.total, options_.total_timeout)};
}

Duration Simulation::LongestTotal(const Client& client) const {
  if (client.automatic) return OwnOr(client.longest, options_.total_timeout);
  const Model* const model = snapshot_->catalog.Find(client.row.requested_model);
  if (model == nullptr || model->endpoints.empty()) return options_.total_timeout;
  Duration longest;
  for (const Endpoint& each : model->endpoints) {
    longest = std::max(longest, OwnOr(each.timeouts.total, options_.total_timeout));
  }
  return longest;
}

// No attempt ends later than it may, and none by a clock before that is up.
void Simulation::CheckDeadlines(ExchangeId id, const Client& client,
                                std::vector<std::string>* broken) const {
  const auto expect = [&](bool holds, const std::string& promise) {
    if (!holds) broken->push_back("exchange " + std::to_string(id) + ": " + promise);
  };
  for (size_t i = 0; i < client.row.tried.size(); ++i) {
    const AttemptRecord& tried = client.row.tried[i];
    const CallTimeouts own = TimeoutsOf(client, i);
    expect(tried.waited <= own.total + kSlack, "an attempt ends within its own total");
    const bool timed_out = tried.error == "upstream_timeout" && tried.status < 300;
    const bool fell_silent = tried.error == "upstream_idle_timeout";
    if (!client.stream) {
      // Half of what is left, where another may be asked then.
      expect(!timed_out || tried.waited >= own.total || options_.retry.retry_ambiguous,
             "only the total ends a plain call");
      expect(!fell_silent, "a plain call may be silent");
    } else {
      expect(!timed_out || tried.waited >= std::min(own.first_byte, own.first_content) ||
                 options_.retry.retry_ambiguous,
             "a stream may take its time to begin");
      expect(!fell_silent || tried.waited >= own.idle, "a stream may pause");
    }
  }
}

// Whoever the gateway has stopped pays nothing, is told, and may send the same again.
void Simulation::CheckStop(ExchangeId id, const Client& client, std::vector<std::string>* broken) {
  const auto expect = [&](bool holds, const std::string& promise) {
    if (!holds) broken->push_back("exchange " + std::to_string(id) + ": " + promise);
  };
  const ExchangeRecord& row = client.row;
  const bool stopped = row.error == "shutting_down";
  expect(!stopped || stop_time_ != TimePoint::Never(), "nobody is stopped by a gateway that runs");
  expect(row.stopped == stopped, "the row says that it was stopped");
  if (stopped) {
    ++stopped_;
    const CreditStore::Booking* const booking = store_.Find(id);
    expect(row.status == 503 && row.settlement == Settlement::kFailed, "a stop is our failure");
    expect(row.cost == Money{} && row.upstream_cost == Money{}, "a stop is free");
    expect(booking == nullptr || booking->charge == Money{}, "nobody is charged for a stop");
    expect(client.cancelled || client.received.find("shutting_down") != std::string::npos,
           "who waits is told of the stop");
  }
  if (stop_time_ != TimePoint::Never()) {
    expect(client.ended <= std::max(stop_time_, client.submitted) + options_.settle_patience,
           "a stop ends everybody at once ");
  }
  if (row.generation_id.empty()) return;  // refused before its key was looked at
  const auto claim = IdempotencyTable::ClaimOf(client.local ? "" : "k",
                                               "order-" + std::to_string(id), client.body);
  expect(idempotency_.Claim(claim, "again", row.created).ok() == (row.attempts == 0 || stopped),
         "a key is free again if nothing was sent, or we have stopped it");
}

bool Simulation::IsBooked(const Client& client) const {
  return options_.credits && (!client.local || !options_.local_org.empty());
}

bool Simulation::MayReadOut(const Client& client) const {
  if (!IsBooked(client) || options_.on_client_abort == ChargePolicy::kFree) return false;
  const auto& providers = snapshot_->providers;
  return most_read_outs_ > 0 &&
         std::any_of(providers.begin(), providers.end(), [&](const auto& each) {
           return each.id == client.row.provider && each.on_abort == OnAbort::kReadOut;
         });
}

std::vector<const SeenTransfer*> Simulation::AttemptsOf(ExchangeId id) const {
  std::vector<const SeenTransfer*> attempts;
  const std::string tag = "tag" + std::to_string(id) + "\"";
  for (size_t i = 0; i < transport_.seen().size(); ++i) {
    const SeenTransfer& seen = transport_.seen()[i];
    if (!seconds_.contains(i) && seen.body.find(tag) != std::string::npos) {
      attempts.push_back(&seen);
    }
  }
  return attempts;
}

// What a provider may charge for a failure is told once, and never for a refusal.
void Simulation::CheckAttempts(ExchangeId id, const Client& client,
                               const std::vector<const SeenTransfer*>& attempts,
                               std::vector<std::string>* broken) const {
  const auto expect = [&](bool holds, const std::string& promise) {
    if (!holds) broken->push_back("exchange " + std::to_string(id) + ": " + promise);
  };
  const ExchangeRecord& row = client.row;
  expect(row.tried.size() == attempts.size(), "a row an attempt");
  if (row.tried.size() != attempts.size()) return;
  for (size_t i = 0; i < attempts.size(); ++i) {
    const AttemptRecord& tried = row.tried[i];
    const bool paid = i + 1 == attempts.size() && row.upstream_cost > Money{};
    const bool refused = tried.status >= 300 && tried.status < 500;
    const bool unsent = !attempts[i]->script.connects && tried.error == "upstream_error";
    // A refusal in words is one only where it stands instead of content.
    const bool in_words = tried.status == 200 && (tried.error == "upstream_rate_limited" ||
                                                  tried.error == "context_length_exceeded");
    const bool may_refuse = tried.status == 503 || tried.status == 529 || in_words;
    if (tried.error.empty() || paid || refused || unsent) {
      expect(tried.suspected == Money{}, "no suspicion of what is known");
    } else if (!may_refuse) {
      expect(tried.suspected > Money{}, "a failure that may cost is suspected");
    }
  }
}

// Client, row and store say the same, and the charge is what the outcome allows.
void Simulation::CheckMoney(ExchangeId id, const Client& client,
                            std::vector<std::string>* broken) const {
  const auto expect = [&](bool holds, const std::string& promise) {
    if (!holds) broken->push_back("exchange " + std::to_string(id) + ": " + promise);
  };
  const ExchangeRecord& row = client.row;
  const CreditStore::Booking* const booking = store_.Find(id);
  if (booking == nullptr || booking->never_held) {
    expect(row.held == Money{}, "no hold in a row that has none");
    // But for an answer that had come whole when its client left.
    const bool whole = row.settlement == Settlement::kExact && row.error == "client_closed";
    if (!IsBooked(client) && !row.error.empty() && !whole) {
      expect(row.cost == Money{}, "an error is free");
    }
    return;
  }
  using enum CreditStore::State;
  if (booking->state == kRefused) {
    expect(row.attempts == 0, "a refused hold sends nothing");
    expect(row.error == "insufficient_credits" || row.status == 503 || client.cancelled,
           "a refused hold is told");
    expect(row.status != 402 || client.inputs > 0 ||
               client.received.find("\"affordable_max_tokens\":") != std::string::npos,
           "a 402 says what is affordable");
    return;
  }
  expect(row.cost == booking->charge, "the row's cost is the charge");
  expect(booking->row.held == row.held, "the stored row is the client's");
  expect(row.attempts == 0 || row.held == booking->held, "the row knows its hold");
  if (const auto attempts = AttemptsOf(id); !attempts.empty()) {
    const int64_t told = ToldIn(attempts.back()->body);
    const int64_t whole = told + ThinkingBeside(attempts.back()->body);
    expect(booking->overrun == Money{} || told == 0 || row.completion_tokens > whole,
           "only a provider that goes on beyond its cap costs the operator");
    const int64_t most = whole + std::max<int64_t>(16, whole / 8);
    const bool exact = row.settlement == Settlement::kExact && row.completion_tokens > 0;
    expect(!exact || row.cap_ignored == (told > 0 && row.completion_tokens > most),
           "and is noticed where it is far beyond");
  }
  const bool left = row.error == "client_closed";
  expect(!left || client.cancelled, "who stays has not left");
  switch (row.settlement) {
    case Settlement::kExact:
      if (!row.error.empty()) {
        expect(client.cancelled && row.prompt_tokens > 0 &&
                   (MayReadOut(client) || (client.stream && !row.finish_reason.empty())),
               "exact for who left is what was read out, or what had come whole");
      }
      [[fallthrough]];
    case Settlement::kEstimated:
      expect(row.error.empty() || (left && !row.estimated), "an answer was charged");
      expect(row.estimated == (row.settlement == Settlement::kEstimated), "says if it guessed");
      break;
    case Settlement::kPartial:
      expect(client.heads == 1 && row.prompt_tokens > 0, "left in the middle");
      expect(
          (left ? options_.on_client_abort : options_.on_upstream_failure) == ChargePolicy::kCharge,
          "half an answer is charged where that was chosen");
      expect(row.cost > Money{} || row.held == Money{}, "what was delivered is paid for");
      break;
    case Settlement::kCancelled:
      expect(client.cancelled && row.completion_tokens == 0, "left before any content");
      break;
    case Settlement::kFailed:
      expect(!row.error.empty() && row.cost == Money{}, "a failure is free");
      expect(client.status != 200 || options_.on_upstream_failure == ChargePolicy::kFree ||
                 row.stopped,
             "what was sent before a failure is charged where that was chosen");
      break;
    case Settlement::kFree:
      expect(row.cost == Money{}, "free is free");
      expect(row.error.empty() || left, "a failure is no answer");
      break;
  }
}

}  // namespace seekroute::testing
