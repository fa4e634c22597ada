// A scripted upstream on a raw socket, for tests: it answers what it is told, byte by byte, also
// what no HTTP library would send, and breaks connections on purpose.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace seekroute {

// One thread, 127.0.0.1, a free port. All methods are thread-safe; the script runs on the server's
// thread. Holds what clients send in memory, at most kMaxRequestBytes a request.
class RawServer {
 public:
  static constexpr size_t kMaxRequestBytes = 64 << 20;

  struct Request {
    int connection = 0;  // 0, 1, 2, ... in the order of their acceptance
    int number = 0;      // 0, 1, 2, ... on this connection
    std::string head;    // with the blank line
    std::string body;
  };
  enum class Then : uint8_t { kKeep, kFin, kReset };
  struct Reply {
    std::string bytes;
    Then then = Then::kKeep;  // once the bytes are sent
  };
  using Script = std::function<Reply(const Request&)>;

  // `script` is asked once a request is whole.
  explicit RawServer(Script script);
  ~RawServer();
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  // Every connection gets this instead of the script, before it has said a word.
  void GreetWith(const Reply& greeting);

  // Does this to every open connection now; returns when it is done.
  void Interrupt(Reply reply);

  // "HTTP/1.1 200 OK" with these bytes as JSON and a Content-Length.
  static std::string Ok(const std::string& body);

  int port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int accepted() const { return accepted_; }
  int requests_begun() const { return requests_begun_; }  // of which a first byte was seen
  size_t bytes_sent() const { return bytes_sent_; }

  // Orders this thread with every server's: what either did before its call is seen by the other
  // after its next one. Servers call it around their scripts; a socket alone orders nothing.
  static void Meet() { ++meetings_; }

 private:
  struct Connection {
    int fd = -1;
    int index = 0;
    int requests = 0;
    std::string in;
    std::string out;
    size_t out_sent = 0;
    Then then = Then::kKeep;
  };

  void Run();
  void RunCommand();
  void Accept();
  bool Serve(Connection* connection, bool readable);
  bool TakeRequest(Connection* connection, Request* request);
  bool Flush(Connection* connection);
  static void Queue(Connection* connection, const Reply& reply);
  static void Close(Connection* connection, Then how);
  void Wake();

  static inline std::atomic<uint64_t> meetings_ = 0;

  const Script script_;
  int listen_fd_ = -1;
  int wake_fd_ = -1;
  int port_ = 0;
  std::atomic<int> accepted_ = 0;
  std::atomic<int> requests_begun_ = 0;
  std::atomic<size_t> bytes_sent_ = 0;
  std::atomic<bool> stop_ = false;
  std::map<int, Connection> connections_;  // by descriptor; the server's thread only

  std::mutex mu_;
  std::condition_variable commanded_;
  std::vector<Reply> commands_;   // guarded by mu_
  std::vector<Reply> greetings_;  // guarded by mu_; at most one
  std::thread thread_;
};

}  // namespace seekroute
