#include "store/sqlite/seq_mark.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>

namespace seekroute {
namespace {

using Words = std::array<uint64_t, 2>;

Words WordsOf(int64_t seq) {
  const auto word = static_cast<uint64_t>(seq);
  return {word, ~word * 0x9E3779B97F4A7C15U};
}

}  // namespace

SeqMark::SeqMark(const std::string& path)
    : fd_(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {}

SeqMark::~SeqMark() {
  if (fd_ >= 0) close(fd_);
}

void SeqMark::Write(int64_t seq) {
  const Words words = WordsOf(seq);
  if (fd_ < 0 || pwrite(fd_, words.data(), sizeof words, 0) == sizeof words) return;
  // Half a mark is none, and no reason to take no money.
}

int64_t SeqMark::Read(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  Words words{};
  const bool whole = pread(fd, words.data(), sizeof words, 0) == sizeof words;
  close(fd);
  const auto seq = static_cast<int64_t>(words[0]);
  return whole && words == WordsOf(seq) ? seq : 0;
}

}  // namespace seekroute
