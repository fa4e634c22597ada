// A transport that plays upstreams: each transfer follows a script drawn from the seed, over the
// agenda's virtual time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "testing/virtual_world.h"
#include "transport/transport.h"

namespace seekroute::testing {

// What one upstream does with one request.
struct UpstreamScript {
  struct Piece {
    Duration delay;
    std::string bytes;
  };
  bool connects = true;
  bool sends_head = true;
  Duration head_delay;
  TransportHead head{.status = 200, .content_type = "application/json", .content_encoding = {}};
  std::vector<Piece> pieces;
  enum class Ending : uint8_t { kClean, kBroken, kHang } ending = Ending::kClean;
  std::string content;      // the text a client that gets everything will have seen
  bool well_formed = true;  // the whole is an answer a client should get
  bool prompt = true;       // and no pause in it is near any deadline
};

// A transfer as the upstream saw it.
struct SeenTransfer {
  std::string body;
  std::string url;
  TimePoint started;
  UpstreamScript script;
  bool cancelled = false;
};

class ScriptedTransport : public Transport {
 public:
  using Director = std::function<UpstreamScript(const TransportRequest&)>;

  ScriptedTransport(Agenda* agenda, VirtualClock* clock, Director director)
      : agenda_(agenda), clock_(clock), director_(std::move(director)) {}

  TransferId Start(TransportRequest request, TransportObserver* observer) override;
  void Cancel(TransferId id) override;
  void Resume(TransferId id) override;

  const std::vector<SeenTransfer>& seen() const { return seen_; }
  size_t live() const { return live_.size(); }
  // Those that run, each as an index of seen().
  std::vector<size_t> running() const {
    std::vector<size_t> running;
    for (const auto& [id, transfer] : live_) running.push_back(transfer.seen);
    return running;
  }

 private:
  struct Transfer {
    TransportObserver* observer;
    size_t seen;
    size_t next_piece = 0;
    bool paused = false;
    bool waiting = false;  // a step is on the agenda
  };
  void Step(TransferId id);
  void Schedule(TransferId id, Duration delay);
  void End(TransferId id, const TransportEnd& end);

  Agenda* const agenda_;
  VirtualClock* const clock_;
  const Director director_;
  std::vector<SeenTransfer> seen_;
  std::map<TransferId, Transfer> live_;
  TransferId last_id_ = 0;
};

}  // namespace seekroute::testing
