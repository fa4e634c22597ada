// How far a journal had come when it was last seen, in a file beside it: a write-ahead log that
// lost its end, or an older copy put in the ledger's place, is not taken for the whole.
#pragma once

#include <cstdint>
#include <string>

namespace seekroute {

// Written after every commit, so never ahead of what is durable; not synced, so behind it at most
// after a power loss. A write that fails is left out: the mark is then behind, or claims nothing.
// Writer's thread.
class SeqMark {
 public:
  // Opens or creates the file at `path`. Look at writable() next; errno has the reason.
  explicit SeqMark(const std::string& path);
  ~SeqMark();
  SeqMark(const SeqMark&) = delete;
  SeqMark& operator=(const SeqMark&) = delete;

  bool writable() const { return fd_ >= 0; }
  void Write(int64_t seq);
  // 0 when there is none.
  static int64_t Read(const std::string& path);

 private:
  int fd_;
};

// Of the ledger at `path`.
inline std::string MarkPath(const std::string& path) { return path + ".mark"; }

}  // namespace seekroute
