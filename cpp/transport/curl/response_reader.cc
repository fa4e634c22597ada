#include "transport/curl/response_reader.h"

#include <algorithm>

#include "base/ascii.h"

namespace seekroute {
namespace {

// Of a chunk's size with its extensions, which are skipped. Real ones have a few digits.
constexpr uint32_t kMaxChunkLine = 4096;
// Interim (1xx) heads before the final one; a server sends one or two.
constexpr uint32_t kMaxInterimHeads = 64;
// A chunk's size is of at most this many bits: more is no size but an attack on arithmetic.
constexpr int kMaxSizeBits = 60;

constexpr std::string_view kStatusLineBegin = "HTTP/1.";

}  // namespace

ResponseReader::Step ResponseReader::Next(std::string_view* input, std::string_view* body) {
  for (;;) {
    switch (state_) {
      case State::kEnd:
        return Step::kEnd;
      case State::kTooLarge:
        return Step::kTooLarge;
      case State::kInvalid:
        return Step::kInvalid;
      default:
        break;
    }
    if (input->empty()) return Step::kMore;
    Step step = Step::kMore;
    switch (state_) {
      case State::kHead:
        step = HeadLines(input);
        break;
      case State::kLength:
        return BodyBytes(input, body, State::kEnd);
      case State::kUntilClose:
        *body = *input;
        input->remove_prefix(input->size());
        return Step::kBody;
      case State::kChunkData:
        return BodyBytes(input, body, State::kChunkDataEnd);
      case State::kTrailers:
        step = Trailers(input);
        break;
      default: {
        const char c = input->front();
        input->remove_prefix(1);
        step = ChunkByte(c);
        break;
      }
    }
    if (step != Step::kMore) return step;
  }
}

bool ResponseReader::EndOfInput() const {
  return state_ == State::kEnd || state_ == State::kUntilClose;
}

ResponseReader::Step ResponseReader::Fail(State how) {
  state_ = how;
  line_.clear();
  return how == State::kTooLarge ? Step::kTooLarge : Step::kInvalid;
}

// False when the line is not whole yet; the limit of the head bounds what is kept of it.
bool ResponseReader::TakeLine(std::string_view* input, std::string_view* line) {
  const size_t end = input->find('\n');
  const size_t size = end == std::string_view::npos ? input->size() : end + 1;
  const std::string_view part = input->substr(0, size);
  input->remove_prefix(size);
  if (end != std::string_view::npos && line_.empty()) {
    *line = part;
    return true;
  }
  line_.append(part);
  *line = line_;
  return end != std::string_view::npos;
}

ResponseReader::Step ResponseReader::HeadLines(std::string_view* input) {
  std::string_view line;
  const bool whole = TakeLine(input, &line);
  if (head_.expects_status()) {
    const size_t size = std::min(line.size(), kStatusLineBegin.size());
    if (line.substr(0, size) != kStatusLineBegin.substr(0, size)) return Fail(State::kInvalid);
  }
  if (!whole) return head_.Exceeds(line.size()) ? Fail(State::kTooLarge) : Step::kMore;
  const HeadReader::Step step = head_.Add(line);
  line_.clear();
  switch (step) {
    case HeadReader::Step::kMore:
      if (head_.expects_status() && ++interim_heads_ > kMaxInterimHeads) {
        return Fail(State::kTooLarge);
      }
      return Step::kMore;
    case HeadReader::Step::kTooLarge:
      return Fail(State::kTooLarge);
    case HeadReader::Step::kInvalid:
      return Fail(State::kInvalid);
    case HeadReader::Step::kFinal:
      break;
  }
  std::string().swap(line_);  // a stream may go on for minutes: give the memory back
  left_ = head_.framing().length;
  switch (head_.framing().body) {
    case Framing::Body::kNone:
      state_ = State::kEnd;
      break;
    case Framing::Body::kLength:
      state_ = State::kLength;
      break;
    case Framing::Body::kChunked:
      state_ = State::kChunkSize;
      break;
    case Framing::Body::kUntilClose:
      state_ = State::kUntilClose;
      break;
  }
  return Step::kHead;
}

ResponseReader::Step ResponseReader::Trailers(std::string_view* input) {
  std::string_view line;
  const bool whole = TakeLine(input, &line);
  if (!whole) return head_.Exceeds(line.size()) ? Fail(State::kTooLarge) : Step::kMore;
  if (head_.Add(line) == HeadReader::Step::kTooLarge) return Fail(State::kTooLarge);
  if (line == "\r\n" || line == "\n") state_ = State::kEnd;
  line_.clear();
  return Step::kMore;
}

ResponseReader::Step ResponseReader::BodyBytes(std::string_view* input, std::string_view* body,
                                               State next) {
  const size_t size = static_cast<size_t>(std::min<uint64_t>(left_, input->size()));
  *body = input->substr(0, size);
  input->remove_prefix(size);
  left_ -= size;
  if (left_ == 0) state_ = next;
  return Step::kBody;
}

// The bytes around a chunk's data. `left_` is its size.
ResponseReader::Step ResponseReader::ChunkByte(char c) {
  const int digit = HexValue(c);
  switch (state_) {
    case State::kChunkSize:
      if (digit < 0) return Fail(State::kInvalid);
      left_ = static_cast<uint64_t>(digit);
      chunk_line_ = 0;
      state_ = State::kChunkSizeMore;
      return Step::kMore;
    case State::kChunkSizeMore:
      if (digit >= 0) {
        if (left_ >> (kMaxSizeBits - 4) != 0) return Fail(State::kInvalid);
        left_ = left_ << 4 | static_cast<uint64_t>(digit);
      } else if (c == '\r') {
        state_ = State::kChunkSizeEnd;
      } else if (c == ';' || c == ' ' || c == '\t') {
        state_ = State::kChunkExtension;
      } else {
        return Fail(State::kInvalid);
      }
      break;
    case State::kChunkExtension:
      if (c == '\r') {
        state_ = State::kChunkSizeEnd;
      } else if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F) {
        return Fail(State::kInvalid);
      }
      break;
    case State::kChunkSizeEnd:
      if (c != '\n') return Fail(State::kInvalid);
      state_ = left_ == 0 ? State::kTrailers : State::kChunkData;
      break;
    case State::kChunkDataEnd:
      if (c != '\r') return Fail(State::kInvalid);
      state_ = State::kChunkDataEnd2;
      break;
    default:
      if (c != '\n') return Fail(State::kInvalid);
      state_ = State::kChunkSize;
      break;
  }
  return ++chunk_line_ > kMaxChunkLine ? Fail(State::kInvalid) : Step::kMore;
}

}  // namespace seekroute
