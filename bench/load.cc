// The load generator of the benchmark: one thread, epoll, one JSON line with what it measured.
//
//   load --port 8000 --mode closed  --connections 64 --seconds 3 --body-bytes 1024
//   load --port 8000 --mode open    --rate 1000 --connections 64 --seconds 3
//   load --port 8000 --mode streams --connections 500 --chunks 64 --interval-us 20000 --seconds 5
//
// closed   each connection sends its next request when the answer is complete
// open     requests start on a fixed schedule; latency counts from the scheduled start, so a
// gateway that falls
//          behind cannot hide its queue
// streams  each connection holds one stream at any time; the upstream stamps every chunk with the
// time it was sent
//
// Further options: --host --path --model --header "Name: value" (repeatable) --key --warmup-ms
// --timeout-ms --max-errors, and --abort-percent: that many requests are left by their client, half
// of them as soon as they are sent, half when the first bytes of the answer come. Only a complete
// 200 counts as an answer; anything else is an error, counted by kind.
#include <array>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "histogram.h"
#include "http.h"
#include "load_plan.h"
#include "net.h"
#include "options.h"
#include "sse_counter.h"

namespace seekroute::bench {
namespace {

constexpr std::size_t kReadBuffer = 65536;
constexpr std::size_t kMaxAnswer = 65536;
constexpr std::size_t kMaxErrorKinds = 8;
constexpr int64_t kConnectTimeoutNs = 10 * kNsPerSecond;
// How long the open loop waits for the answers to what it has sent.
constexpr int64_t kLastAnswersNs = 2 * kNsPerSecond;
constexpr uint64_t kTimerTag = ~uint64_t{0};

// When the client leaves by itself.
enum class Leaves { kNever, kWhenSent, kAtFirstBytes };

struct Connection {
  Fd fd;
  uint32_t generation = 0;
  bool connected = false;
  bool in_flight = false;
  bool watches_writes = false;
  Leaves leaves = Leaves::kNever;
  std::size_t sent = 0;
  int64_t started_ns = 0;  // The intended start, from which latency counts.
  ResponseReader reader;
  std::string answer;
  SseCounter stream;
};

// Runs one plan. One thread owns all of it.
class Load {
 public:
  explicit Load(Plan plan) : plan_(std::move(plan)), connections_(plan_.connections) {}

  void Run() {
    poller_.Add(timer_.fd(), EPOLLIN, kTimerTag);
    ConnectAll();
    const int64_t begin = NowNs();
    from_ns_ = begin + plan_.warmup_ns;
    until_ns_ = from_ns_ + plan_.run_ns;
    next_start_ns_ = begin;
    running_ = true;
    if (plan_.mode == Mode::kOpen) {
      for (std::size_t i = 0; i < connections_.size(); ++i) idle_.push_back(i);
    } else {
      for (std::size_t i = 0; i < connections_.size(); ++i) Start(i, NowNs());
    }
    while (!Over(NowNs())) Turn();
    for (const Connection& connection : connections_) unfinished_ += connection.in_flight ? 1 : 0;
    unfinished_ += static_cast<int64_t>(waiting_.size());
  }

  void Print() const {
    const double seconds = static_cast<double>(plan_.run_ns) / static_cast<double>(kNsPerSecond);
    std::printf("{\"mode\":\"%s\",\"connections\":%zu,\"seconds\":%.0f,\"request_bytes\":%zu",
                plan_.mode_name.c_str(), plan_.connections, seconds, plan_.request.size());
    if (plan_.mode == Mode::kStreams) {
      const double asked = static_cast<double>(plan_.connections) * 1e6 /
                           static_cast<double>(std::max<int64_t>(plan_.interval_us, 1));
      const double got = static_cast<double>(delays_.total()) / seconds;
      std::printf(",\"chunks\":%llu,\"chunks_per_s\":%.1f",
                  static_cast<unsigned long long>(delays_.total()), got);
      if (plan_.interval_us > 0) std::printf(",\"share_of_asked\":%.5f", got / asked);
      PrintTimes("first_", latencies_);
      PrintTimes("delay_", delays_);
    } else {
      std::printf(",\"rps\":%.1f", static_cast<double>(latencies_.total()) / seconds);
      PrintTimes("", latencies_);
    }
    std::printf(
        ",\"answers\":%lld,\"unfinished\":%lld,\"reconnects\":%lld,\"aborted\":%lld,\"errors\":%"
        "lld,"
        "\"error_kinds\":{",
        static_cast<long long>(answers_), static_cast<long long>(unfinished_),
        static_cast<long long>(reconnects_), static_cast<long long>(aborted_),
        static_cast<long long>(errors_));
    const char* comma = "";
    for (const auto& [kind, count] : error_kinds_) {
      std::printf("%s\"%s\":%lld", comma, kind.c_str(), static_cast<long long>(count));
      comma = ",";
    }
    std::printf("}}\n");
  }

 private:
  // Nothing is printed when nothing was measured: a zero would read as a very good time.
  static void PrintTimes(const char* prefix, const Histogram& times) {
    if (times.total() == 0) return;
    std::printf(",\"%sp50_us\":%.1f,\"%sp90_us\":%.1f,\"%sp99_us\":%.1f,\"%smax_us\":%.1f", prefix,
                times.PercentileUs(0.5), prefix, times.PercentileUs(0.9), prefix,
                times.PercentileUs(0.99), prefix, times.max_us());
  }

  uint64_t Tag(std::size_t index) const {
    return (static_cast<uint64_t>(index) << 32) | connections_[index].generation;
  }

  bool Over(int64_t now_ns) const {
    if (errors_ >= plan_.max_errors) return true;
    if (now_ns < until_ns_) return false;
    if (plan_.mode != Mode::kOpen || now_ns >= until_ns_ + kLastAnswersNs) return true;
    return waiting_.empty() && idle_.size() == connections_.size();
  }

  // All connections stand before the clock starts: setting them up is not what is measured.
  void ConnectAll() {
    for (std::size_t i = 0; i < connections_.size(); ++i) Connect(i);
    const int64_t deadline = NowNs() + kConnectTimeoutNs;
    while (connected_ < connections_.size()) {
      if (NowNs() > deadline || errors_ >= plan_.max_errors)
        Die("could not connect: " + FirstError());
      Turn();
    }
  }

  std::string FirstError() const {
    return error_kinds_.empty() ? "no answer in time" : error_kinds_.begin()->first;
  }

  void Connect(std::size_t index) {
    Connection& connection = connections_[index];
    if (connection.connected) --connected_;
    ++connection.generation;
    connection.connected = false;
    connection.fd = StartConnect(plan_.address);
    if (!connection.fd.open()) {
      Count("connection refused");
      return;
    }
    connection.watches_writes = true;
    poller_.Add(connection.fd.get(), EPOLLIN | EPOLLOUT, Tag(index));
  }

  void Turn() {
    std::array<epoll_event, Poller::kMaxEvents> events{};
    // The timer wakes the open loop; the others need only look at the clock now and then.
    if (running_)
      timer_.SetAt(plan_.mode == Mode::kOpen && next_start_ns_ < until_ns_ ? next_start_ns_
                                                                           : until_ns_);
    constexpr int kLookMs = 50;
    const int count = poller_.Wait(events.data(), kLookMs);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.u64 == kTimerTag) {
        timer_.Clear();
        continue;
      }
      const auto index = static_cast<std::size_t>(event.data.u64 >> 32);
      if (connections_[index].generation != static_cast<uint32_t>(event.data.u64)) continue;
      if ((event.events & EPOLLOUT) != 0) Writable(index);
      if (connections_[index].generation != static_cast<uint32_t>(event.data.u64)) continue;
      if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) Readable(index);
    }
    if (running_ && plan_.mode == Mode::kOpen) StartScheduled();
    if (running_) CheckTimeouts();
  }

  void StartScheduled() {
    const int64_t now_ns = NowNs();
    const int64_t step_ns = kNsPerSecond / plan_.rate;
    // Bounded by the length of the run: at most rate * seconds starts can wait.
    for (; next_start_ns_ <= now_ns && next_start_ns_ < until_ns_; next_start_ns_ += step_ns) {
      waiting_.push_back(next_start_ns_);
    }
    while (!waiting_.empty() && !idle_.empty()) {
      const std::size_t index = idle_.back();
      idle_.pop_back();
      const int64_t intended_ns = waiting_.front();
      waiting_.pop_front();
      Start(index, intended_ns);
    }
  }

  void CheckTimeouts() {
    const int64_t now_ns = NowNs();
    if (now_ns < next_check_ns_) return;
    next_check_ns_ = now_ns + kNsPerSecond / 2;
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      const Connection& connection = connections_[i];
      if (connection.in_flight && now_ns - connection.started_ns > plan_.timeout_ns)
        Fail(i, "no answer in time");
    }
  }

  void Start(std::size_t index, int64_t started_ns) {
    Connection& connection = connections_[index];
    connection.in_flight = true;
    connection.started_ns = started_ns;
    connection.sent = 0;
    connection.reader.Reset();
    connection.answer.clear();
    connection.stream.Reset();
    connection.leaves = NextLeaves();
    if (connection.connected) Send(index);
  }

  Leaves NextLeaves() {
    // Evenly spread, and the same in every run.
    aborts_due_ += plan_.abort_percent;
    if (aborts_due_ < 100) return Leaves::kNever;
    aborts_due_ -= 100;
    early_ = !early_;
    return early_ ? Leaves::kWhenSent : Leaves::kAtFirstBytes;
  }

  void Leave(std::size_t index) {
    ++aborted_;
    connections_[index].in_flight = false;
    Connect(index);
    Next(index, NowNs());
  }

  void Writable(std::size_t index) {
    Connection& connection = connections_[index];
    if (!connection.connected) {
      int error = 0;
      socklen_t length = sizeof(error);
      getsockopt(connection.fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
      if (error != 0) {
        Fail(index, "connection refused");
        return;
      }
      connection.connected = true;
      ++connected_;
    }
    if (connection.in_flight) {
      Send(index);
    } else {
      WatchWrites(index, false);
    }
  }

  void WatchWrites(std::size_t index, bool wanted) {
    Connection& connection = connections_[index];
    if (connection.watches_writes == wanted) return;
    connection.watches_writes = wanted;
    poller_.Change(connection.fd.get(), wanted ? EPOLLIN | EPOLLOUT : EPOLLIN, Tag(index));
  }

  void Send(std::size_t index) {
    Connection& connection = connections_[index];
    while (connection.sent < plan_.request.size()) {
      const ssize_t sent = send(connection.fd.get(), plan_.request.data() + connection.sent,
                                plan_.request.size() - connection.sent, MSG_NOSIGNAL);
      if (sent < 0) {
        if (errno == EINTR) continue;
        if (errno == EAGAIN) break;
        Fail(index, "closed while the request was sent");
        return;
      }
      connection.sent += static_cast<std::size_t>(sent);
    }
    if (connection.sent == plan_.request.size() && connection.leaves == Leaves::kWhenSent) {
      Leave(index);
      return;
    }
    WatchWrites(index, connection.sent < plan_.request.size());
  }

  void Readable(std::size_t index) {
    Connection& connection = connections_[index];
    const ssize_t got = recv(connection.fd.get(), buffer_.data(), buffer_.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (!connection.in_flight) {
      if (got > 0) {
        Fail(index, "bytes without a request");
      } else if (connection.connected) {
        ++reconnects_;
        Connect(index);
      } else {
        Fail(index, "connection refused");
      }
      return;
    }
    if (got > 0 && connection.leaves == Leaves::kAtFirstBytes) {
      Leave(index);
      return;
    }
    if (got <= 0) {
      connection.reader.Closed();
      if (!connection.reader.done()) {
        Fail(index, "closed before the answer was complete");
        return;
      }
    } else {
      Take(connection, std::string_view(buffer_.data(), static_cast<std::size_t>(got)));
    }
    if (connection.reader.broken()) {
      Fail(index, "not an HTTP answer");
    } else if (connection.reader.done()) {
      Finish(index);
    }
  }

  void Take(Connection& connection, std::string_view bytes) {
    const int64_t now_ns = NowNs();
    if (plan_.mode != Mode::kStreams) {
      connection.reader.Feed(bytes, [&connection](std::string_view body) {
        if (connection.answer.size() + body.size() <= kMaxAnswer) connection.answer.append(body);
      });
      return;
    }
    const bool counts = now_ns >= from_ns_ && now_ns < until_ns_;
    connection.reader.Feed(bytes, [&](std::string_view body) {
      connection.stream.Feed(body, [&](int64_t sent_ns) {
        if (!counts) return;
        delays_.Record(now_ns - sent_ns);
        if (connection.stream.chunks() == 1) latencies_.Record(now_ns - connection.started_ns);
      });
    });
  }

  // Why a finished answer is wrong, empty when it is right.
  std::string Fault(const Connection& connection) const {
    if (connection.reader.status() != 200)
      return "status " + std::to_string(connection.reader.status());
    if (plan_.mode != Mode::kStreams) {
      if (connection.answer.find(kAnswerEnd) == std::string::npos) return "answer without its end";
      if (connection.answer.find("\"completion_tokens\"") == std::string::npos)
        return "answer without usage";
      return {};
    }
    if (connection.stream.chunks() != plan_.chunks) return "stream with missing chunks";
    if (!connection.stream.saw_usage()) return "stream without usage";
    if (!connection.stream.saw_done()) return "stream without [DONE]";
    return {};
  }

  void Finish(std::size_t index) {
    Connection& connection = connections_[index];
    const std::string fault = Fault(connection);
    if (!fault.empty()) {
      Fail(index, fault);
      return;
    }
    const int64_t now_ns = NowNs();
    connection.in_flight = false;
    ++answers_;
    // The open loop goes by the intended start, so that a late answer is in the figures; the closed
    // loop by the end, so that the rate is that of the window.
    const int64_t at_ns = plan_.mode == Mode::kOpen ? connection.started_ns : now_ns;
    if (plan_.mode != Mode::kStreams && at_ns >= from_ns_ && at_ns < until_ns_) {
      latencies_.Record(now_ns - connection.started_ns);
    }
    if (!connection.reader.keep_alive()) {
      ++reconnects_;
      Connect(index);
    }
    Next(index, now_ns);
  }

  void Next(std::size_t index, int64_t now_ns) {
    if (plan_.mode == Mode::kOpen) {
      idle_.push_back(index);
    } else if (now_ns < until_ns_) {
      Start(index, now_ns);
    }
  }

  void Fail(std::size_t index, const std::string& kind) {
    Count(kind);
    const bool was_in_flight = connections_[index].in_flight;
    connections_[index].in_flight = false;
    if (errors_ >= plan_.max_errors) return;
    Connect(index);
    if (running_ && was_in_flight) Next(index, NowNs());
  }

  void Count(const std::string& kind) {
    ++errors_;
    if (error_kinds_.contains(kind) || error_kinds_.size() < kMaxErrorKinds) ++error_kinds_[kind];
  }

  const Plan plan_;
  Poller poller_;
  WakeTimer timer_;
  std::vector<Connection> connections_;
  std::size_t connected_ = 0;
  bool running_ = false;
  int64_t from_ns_ = 0;
  int64_t until_ns_ = 0;
  int64_t next_start_ns_ = 0;
  int64_t next_check_ns_ = 0;
  std::vector<std::size_t> idle_;  // Open loop: connections without a request.
  std::deque<int64_t> waiting_;    // Open loop: intended starts that found no idle connection.
  Histogram latencies_;            // Of whole answers, or of first chunks.
  Histogram delays_;               // Of chunks: from the upstream's stamp to our read.
  int64_t answers_ = 0;
  int64_t unfinished_ = 0;
  int64_t reconnects_ = 0;
  int64_t aborted_ = 0;
  int64_t aborts_due_ = 0;  // in hundredths
  bool early_ = false;
  int64_t errors_ = 0;
  std::map<std::string, int64_t> error_kinds_;
  std::array<char, kReadBuffer> buffer_{};
};

}  // namespace
}  // namespace seekroute::bench

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  seekroute::bench::RaiseOpenFiles();
  seekroute::bench::Options options(argc, argv);
  const auto load = std::make_unique<seekroute::bench::Load>(seekroute::bench::ReadPlan(options));
  load->Run();
  load->Print();
}
