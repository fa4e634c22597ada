#include "testing/scripted_transport.h"

namespace seekroute::testing {

TransferId ScriptedTransport::Start(TransportRequest request, TransportObserver* observer) {
  const TransferId id = ++last_id_;
  UpstreamScript script = director_(request);
  seen_.push_back({std::move(request.body), request.upstream->base_url + request.path,
                   clock_->Now(), std::move(script), false});
  live_.emplace(id, Transfer{observer, seen_.size() - 1});
  const UpstreamScript& played = seen_.back().script;
  agenda_->After(played.head_delay, [this, id] {
    const auto found = live_.find(id);
    if (found == live_.end()) return;
    const UpstreamScript& now = seen_[found->second.seen].script;
    if (!now.connects) {
      return End(id, {false, MakeError(ErrorCode::kUpstreamError, "could not connect"), false});
    }
    if (!now.sends_head) {
      if (now.ending == UpstreamScript::Ending::kHang) return;
      return End(id, {false, MakeError(ErrorCode::kUpstreamTruncated, "no answer"), true});
    }
    found->second.observer->OnHead(now.head);
    Schedule(id, {});
  });
  return id;
}

void ScriptedTransport::Schedule(TransferId id, Duration delay) {
  const auto found = live_.find(id);
  if (found == live_.end() || found->second.paused || found->second.waiting) return;
  const UpstreamScript& script = seen_[found->second.seen].script;
  if (found->second.next_piece < script.pieces.size()) {
    delay = script.pieces[found->second.next_piece].delay;
  }
  found->second.waiting = true;
  agenda_->After(delay, [this, id] { Step(id); });
}

void ScriptedTransport::Step(TransferId id) {
  const auto found = live_.find(id);
  if (found == live_.end()) return;
  Transfer& transfer = found->second;
  transfer.waiting = false;
  if (transfer.paused) return;
  const UpstreamScript& script = seen_[transfer.seen].script;
  if (transfer.next_piece < script.pieces.size()) {
    const std::string bytes = script.pieces[transfer.next_piece++].bytes;
    const Flow flow = transfer.observer->OnBody(bytes);
    const auto still = live_.find(id);
    if (still == live_.end()) return;
    if (flow == Flow::kPause) still->second.paused = true;
    return Schedule(id, {});
  }
  switch (script.ending) {
    case UpstreamScript::Ending::kClean:
      return End(id, {true, {}, true});
    case UpstreamScript::Ending::kBroken:
      return End(id, {false, MakeError(ErrorCode::kUpstreamTruncated, "cut off"), true});
    case UpstreamScript::Ending::kHang:
      return;
  }
}

void ScriptedTransport::End(TransferId id, const TransportEnd& end) {
  const auto found = live_.find(id);
  TransportObserver* const observer = found->second.observer;
  live_.erase(found);
  observer->OnEnd(end);
}

void ScriptedTransport::Cancel(TransferId id) {
  const auto found = live_.find(id);
  if (found == live_.end()) return;
  seen_[found->second.seen].cancelled = true;
  live_.erase(found);
}

void ScriptedTransport::Resume(TransferId id) {
  const auto found = live_.find(id);
  if (found == live_.end()) return;
  found->second.paused = false;
  Schedule(id, {});
}

}  // namespace seekroute::testing
