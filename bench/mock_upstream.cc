// A fast OpenAI-compatible upstream for the benchmark: one thread, epoll, HTTP/1.1 with keep-alive.
//
//   mock_upstream [--port 0] [--chunks 64] [--interval-us 0] [--fault-percent 0]
//
// prints "listening PORT".
//
// POST .../chat/completions  one JSON answer of about 650 bytes, or, with a top-level "stream":
// true, a stream of
//                            `chunks` content chunks, `interval-us` apart, then finish, usage and
//                            [DONE]
// GET /pace?chunks=64&interval_us=20000   sets the pace of the streams that start from now on
// GET /stats                 how many answers, streams and faults were begun since the start
// GET /health
//
// A fault is, in turn, a status 500, a connection closed without a byte, and an answer or a stream
// that breaks off.
//
// No pipelining: the next request is read when the answer before it is out.
#include <array>
#include <csignal>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http.h"
#include "net.h"
#include "options.h"
#include "timer_wheel.h"

namespace seekroute::bench {
namespace {

constexpr std::size_t kMaxHead = 65536;
constexpr int64_t kMaxBody = int64_t{32} << 20;
// Bounds the bytes a stream whose client does not read can queue (about 250 bytes a chunk).
constexpr int64_t kMaxChunks = 100'000;
constexpr std::size_t kFirstBuffer = 8192;
constexpr uint64_t kListenerTag = ~uint64_t{0};
constexpr uint64_t kTimerTag = kListenerTag - 1;

constexpr std::string_view kChunkHead =
    R"(data: {"id":"chatcmpl-bench0123456789","object":"chat.completion.chunk","created":1760000000,)"
    R"("model":"bench-model","system_fingerprint":"fp_bench","choices":[{"index":0,)";
constexpr std::string_view kUsage =
    R"("usage":{"prompt_tokens":240,"completion_tokens":64,"total_tokens":304,)"
    R"("prompt_tokens_details":{"cached_tokens":128}})";

// One frame of the chunked transfer coding.
std::string Frame(std::string_view payload) {
  std::array<char, 20> size{};
  std::snprintf(size.data(), size.size(), "%zx\r\n", payload.size());
  return size.data() + std::string(payload) + "\r\n";
}

std::string Answer(std::string_view status, std::string_view type, std::string_view body) {
  return "HTTP/1.1 " + std::string(status) + "\r\nContent-Type: " + std::string(type) +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

// The texts that are sent over and over, made once.
struct Texts {
  std::string answer;
  std::string stream_head;
  std::string first_chunk;  // Brings the role too; as long as it is, it has its own place for the
                            // time stamp.
  std::string chunk;
  std::string stream_end;  // Finish, usage, [DONE] and the last frame.
  std::size_t first_stamp_at = 0;
  std::size_t stamp_at = 0;

  Texts() {
    std::string content =
        "A gateway that adds little is measured against a plain proxy on the same machine, in "
        "the same minute. What it adds is the work it does for every request, and that work "
        "should be seen in microseconds of one core, not guessed from a table of another machine. ";
    content += kAnswerEnd;
    answer = Answer(
        "200 OK", "application/json",
        R"({"id":"chatcmpl-bench0123456789","object":"chat.completion","created":1760000000,)"
        R"("model":"bench-model","system_fingerprint":"fp_bench","choices":[{"index":0,)"
        R"("message":{"role":"assistant","content":")" +
            content + R"("},"logprobs":null,"finish_reason":"stop"}],)" + std::string(kUsage) +
            "}");
    stream_head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
        "Transfer-Encoding: chunked\r\n\r\n";
    const std::string stamp = "@@" + std::string(kStampDigits, '0') + "@@";
    const std::string head(kChunkHead);
    const std::string tail = R"( "},"finish_reason":null}]})"
                             "\n\n";
    first_chunk = Frame(head + R"("delta":{"role":"assistant","content":")" + stamp + tail);
    chunk = Frame(head + R"("delta":{"content":")" + stamp + tail);
    first_stamp_at = first_chunk.find("@@") + 2;
    stamp_at = chunk.find("@@") + 2;
    const std::string usage_chunk =
        R"(data: {"id":"chatcmpl-bench0123456789","object":"chat.completion.chunk","created":1760000000,)"
        R"("model":"bench-model","choices":[],)" +
        std::string(kUsage) + "}\n\n";
    stream_end = Frame(head + R"("delta":{},"finish_reason":"stop"}]})" + "\n\n") +
                 Frame(usage_chunk) + Frame("data: [DONE]\n\n") + "0\r\n\r\n";
  }
};

// Whether the top-level object has "stream": true. Strings are jumped over, so 1 MB of prompt costs
// little.
bool AsksForStream(std::string_view body) {
  int depth = 0;
  bool asked = false;
  for (std::size_t i = 0; i < body.size(); ++i) {
    const char c = body[i];
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    if (c != '"') continue;
    const std::size_t begin = ++i;
    for (;;) {
      i = body.find('"', i);
      if (i == std::string_view::npos) return false;
      std::size_t slashes = 0;
      while (i - slashes > begin && body[i - slashes - 1] == '\\') ++slashes;
      if (slashes % 2 == 0) break;
      ++i;
    }
    if (depth != 1 || body.substr(begin, i - begin) != "stream") continue;
    std::size_t value = body.find_first_not_of(" \t\r\n", i + 1);
    if (value == std::string_view::npos || body[value] != ':') continue;
    value = body.find_first_not_of(" \t\r\n", value + 1);
    asked = value != std::string_view::npos && body.substr(value).starts_with("true");
  }
  return asked;
}

struct Connection {
  Fd fd;
  uint32_t generation = 0;
  std::vector<char>
      in;  // The first in_size bytes are filled; it keeps its size from request to request.
  std::size_t in_size = 0;
  std::size_t request_size = 0;  // Head and body; 0 until the head is complete.
  std::size_t head_size = 0;
  std::string out;
  std::size_t out_sent = 0;
  bool watches_writes = false;
  bool close_when_sent = false;
  // The stream being sent: chunk number `sent` is due at started_ns + sent * interval_ns.
  bool streaming = false;
  int64_t started_ns = 0;
  int64_t interval_ns = 0;
  int64_t chunks = 0;
  int64_t sent = 0;
};

// The server. One thread owns all of it.
class Upstream {
 public:
  explicit Upstream(Options& options) : wheel_(NowNs()) {
    const auto port = static_cast<uint16_t>(options.Int("port", 0));
    chunks_ = std::min(options.Int("chunks", 64), kMaxChunks);
    interval_ns_ = options.Int("interval-us", 0) * 1000;
    fault_percent_ = options.Int("fault-percent", 0);
    options.RefuseUnknown();
    listener_ = ListenOnLoopback(port);
    poller_.Add(listener_.fd.get(), EPOLLIN, kListenerTag);
    poller_.Add(timer_.fd(), EPOLLIN, kTimerTag);
    std::printf("listening %u\n", static_cast<unsigned>(listener_.port));
    std::fflush(stdout);
  }

  [[noreturn]] void Run() {
    std::array<epoll_event, Poller::kMaxEvents> events{};
    for (;;) {
      const int count = poller_.Wait(events.data(), -1);
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        if (event.data.u64 == kListenerTag) {
          Accept();
        } else if (event.data.u64 == kTimerTag) {
          timer_.Clear();
        } else {
          Serve(static_cast<uint32_t>(event.data.u64 >> 32), static_cast<uint32_t>(event.data.u64),
                event.events);
        }
      }
      wheel_.Advance(NowNs(), [this](const TimerWheel::Timer& timer) { SendDue(timer); });
      const int64_t next = wheel_.NextNs();
      if (next >= 0) timer_.SetAt(next);
    }
  }

 private:
  static uint64_t Tag(uint32_t slot, uint32_t generation) {
    return (static_cast<uint64_t>(slot) << 32) | generation;
  }

  void Accept() {
    for (;;) {
      Fd fd(accept4(listener_.fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!fd.open()) return;
      SetNoDelay(fd.get());
      uint32_t slot = 0;
      if (free_.empty()) {
        slot = static_cast<uint32_t>(connections_.size());
        connections_.push_back(std::make_unique<Connection>());
      } else {
        slot = free_.back();
        free_.pop_back();
      }
      Connection& connection = *connections_[slot];
      connection.fd = std::move(fd);
      connection.in.resize(kFirstBuffer);
      poller_.Add(connection.fd.get(), EPOLLIN, Tag(slot, connection.generation));
    }
  }

  void Close(uint32_t slot) {
    const uint32_t generation = connections_[slot]->generation + 1;
    *connections_[slot] = Connection{};
    connections_[slot]->generation = generation;
    free_.push_back(slot);
  }

  void Serve(uint32_t slot, uint32_t generation, uint32_t events) {
    Connection& connection = *connections_[slot];
    if (connection.generation != generation || !connection.fd.open()) return;
    if ((events & EPOLLOUT) != 0 && !Flush(slot)) return;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
    if (connection.in_size == connection.in.size()) connection.in.resize(connection.in.size() * 2);
    const ssize_t got = recv(connection.fd.get(), connection.in.data() + connection.in_size,
                             connection.in.size() - connection.in_size, 0);
    if (got > 0) {
      connection.in_size += static_cast<std::size_t>(got);
      TakeRequest(slot);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
      Close(slot);
    }
  }

  void TakeRequest(uint32_t slot) {
    Connection& connection = *connections_[slot];
    if (connection.streaming || !connection.out.empty()) {
      // Only a client that pipelines gets here; its bytes wait, up to a bound.
      if (connection.in_size > kMaxHead) Close(slot);
      return;
    }
    const std::string_view data(connection.in.data(), connection.in_size);
    if (connection.request_size == 0 && !MeasureRequest(slot, data)) return;
    if (data.size() < connection.request_size) return;
    const std::size_t size = connection.request_size;
    const std::string_view head = data.substr(0, connection.head_size);
    const std::string_view body = data.substr(head.size(), size - head.size());
    connection.request_size = 0;
    const uint32_t generation = connection.generation;
    connection.close_when_sent = EqualsIgnoringCase(HeaderValue(head, "connection"), "close");
    Respond(connection, slot, head, body);
    connection.in_size -= size;
    std::memmove(connection.in.data(), connection.in.data() + size, connection.in_size);
    if (Flush(slot) && connection.generation == generation && connection.in_size > 0)
      TakeRequest(slot);
  }

  // False while the head is not complete, and when the connection had to be closed.
  bool MeasureRequest(uint32_t slot, std::string_view data) {
    Connection& connection = *connections_[slot];
    const std::size_t end = data.find("\r\n\r\n");
    if (end == std::string_view::npos) {
      if (data.size() > kMaxHead) Close(slot);
      return false;
    }
    connection.head_size = end + 4;
    const std::string_view head = data.substr(0, end + 2);
    const std::string_view length = HeaderValue(head, "content-length");
    const int64_t body = length.empty() ? 0 : ParseNumber(length);
    if (body < 0 || body > kMaxBody || !HeaderValue(head, "transfer-encoding").empty()) {
      connection.out = Answer("413 Content Too Large", "text/plain",
                              "expected a Content-Length of at most 32 MiB\n");
      connection.close_when_sent = true;
      Flush(slot);
      return false;
    }
    connection.request_size = connection.head_size + static_cast<std::size_t>(body);
    const bool waits = EqualsIgnoringCase(HeaderValue(head, "expect"), "100-continue");
    if (connection.in.size() < connection.request_size)
      connection.in.resize(connection.request_size);
    if (waits && connection.in_size < connection.request_size) {
      // Sent at once and past `out`: with a body still to come nothing else can be queued.
      constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
      if (send(connection.fd.get(), kContinue.data(), kContinue.size(), MSG_NOSIGNAL) < 0) {
        Close(slot);
        return false;
      }
    }
    return true;
  }

  void Respond(Connection& connection, uint32_t slot, std::string_view head,
               std::string_view body) {
    const std::size_t method_end = head.find(' ');
    const std::string_view method = head.substr(0, method_end);
    std::string_view target = head.substr(method_end + 1);
    target = target.substr(0, target.find(' '));
    const std::string_view path = target.substr(0, target.find('?'));
    if (method == "POST" && path.ends_with("/chat/completions")) {
      if (FaultIsDue()) {
        Misbehave(connection, AsksForStream(body));
      } else if (AsksForStream(body)) {
        ++streams_;
        StartStream(connection, slot);
      } else {
        ++answers_;
        connection.out += texts_.answer;
      }
    } else if (method == "GET" && path == "/health") {
      connection.out += Answer("200 OK", "text/plain", "ok\n");
    } else if (method == "GET" && path == "/pace") {
      connection.out += SetPace(target);
    } else if (method == "GET" && path == "/stats") {
      connection.out += Answer("200 OK", "application/json",
                               "{\"answers\":" + std::to_string(answers_) +
                                   ",\"streams\":" + std::to_string(streams_) +
                                   ",\"faults\":" + std::to_string(faults_) + "}\n");
    } else {
      connection.out += Answer("404 Not Found", "text/plain", "not found\n");
    }
  }

  bool FaultIsDue() {
    faults_due_ += fault_percent_;
    if (faults_due_ < 100) return false;
    faults_due_ -= 100;
    return true;
  }

  void Misbehave(Connection& connection, bool stream) {
    switch (faults_++ % 3) {
      case 0:
        connection.out += Answer("500 Internal Server Error", "application/json",
                                 R"({"error":{"message":"bench","type":"server_error"}})");
        return;
      case 1:
        break;
      default:
        connection.out += stream ? texts_.stream_head + texts_.chunk
                                 : texts_.answer.substr(0, texts_.answer.size() / 2);
    }
    connection.close_when_sent = true;
  }

  std::string SetPace(std::string_view target) {
    const auto number = [target](std::string_view name) {
      const std::size_t at = target.find(name);
      if (at == std::string_view::npos) return int64_t{-1};
      const std::string_view value = target.substr(at + name.size());
      return ParseNumber(value.substr(0, value.find('&')));
    };
    const int64_t chunks = number("chunks=");
    const int64_t interval_us = number("interval_us=");
    if (chunks < 1 || chunks > kMaxChunks || interval_us < 0) {
      return Answer("400 Bad Request", "text/plain", "expected chunks=1..100000 and interval_us\n");
    }
    chunks_ = chunks;
    interval_ns_ = interval_us * 1000;
    return Answer("200 OK", "text/plain", "ok\n");
  }

  void StartStream(Connection& connection, uint32_t slot) {
    connection.streaming = true;
    connection.started_ns = NowNs();
    connection.interval_ns = interval_ns_;
    connection.chunks = chunks_;
    connection.sent = 0;
    connection.out += texts_.stream_head;
    AppendDue(connection, slot, connection.started_ns);
  }

  // Queues everything that is due and sets the timer for the next chunk. The schedule is absolute:
  // a late wake-up does not move the chunks after it.
  void AppendDue(Connection& connection, uint32_t slot, int64_t now_ns) {
    for (;;) {
      const int64_t due = connection.started_ns + connection.sent * connection.interval_ns;
      if (due > now_ns) {
        wheel_.Add({slot, connection.generation, due});
        return;
      }
      if (connection.sent == connection.chunks) break;
      AppendChunk(connection);
    }
    connection.out += texts_.stream_end;
    connection.streaming = false;
  }

  void AppendChunk(Connection& connection) {
    const bool first = connection.sent++ == 0;
    const std::size_t at =
        connection.out.size() + (first ? texts_.first_stamp_at : texts_.stamp_at);
    connection.out += first ? texts_.first_chunk : texts_.chunk;
    int64_t stamp = NowNs();
    for (std::size_t digit = kStampDigits; stamp > 0; stamp /= 10) {
      connection.out[at + --digit] = static_cast<char>('0' + stamp % 10);
    }
  }

  void SendDue(const TimerWheel::Timer& timer) {
    Connection& connection = *connections_[timer.slot];
    if (connection.generation != timer.generation || !connection.streaming) return;
    AppendDue(connection, timer.slot, NowNs());
    if (Flush(timer.slot) && connection.in_size > 0) TakeRequest(timer.slot);
  }

  // Sends what is queued. False when the connection is closed by it.
  bool Flush(uint32_t slot) {
    Connection& connection = *connections_[slot];
    while (connection.out_sent < connection.out.size()) {
      const ssize_t sent = send(connection.fd.get(), connection.out.data() + connection.out_sent,
                                connection.out.size() - connection.out_sent, MSG_NOSIGNAL);
      if (sent < 0) {
        if (errno == EAGAIN) break;
        if (errno == EINTR) continue;
        Close(slot);
        return false;
      }
      connection.out_sent += static_cast<std::size_t>(sent);
    }
    const bool blocked = connection.out_sent < connection.out.size();
    if (!blocked) {
      connection.out.clear();
      connection.out_sent = 0;
      if (connection.close_when_sent && !connection.streaming) {
        Close(slot);
        return false;
      }
    }
    if (blocked != connection.watches_writes) {
      connection.watches_writes = blocked;
      poller_.Change(connection.fd.get(), blocked ? EPOLLIN | EPOLLOUT : EPOLLIN,
                     Tag(slot, connection.generation));
    }
    return true;
  }

  const Texts texts_;
  Listener listener_;
  Poller poller_;
  WakeTimer timer_;
  TimerWheel wheel_;
  // Indexed by slot; a unique_ptr because a reference must outlive the growth of the table.
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<uint32_t> free_;
  int64_t chunks_ = 0;
  int64_t interval_ns_ = 0;
  int64_t fault_percent_ = 0;
  int64_t faults_due_ = 0;  // in hundredths
  int64_t faults_ = 0;
  int64_t answers_ = 0;
  int64_t streams_ = 0;
};

}  // namespace
}  // namespace seekroute::bench

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  seekroute::bench::RaiseOpenFiles();
  seekroute::bench::Options options(argc, argv);
  seekroute::bench::Upstream upstream(options);
  upstream.Run();
}
