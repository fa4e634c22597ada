#include "transport/curl/response_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace seekroute {
namespace {

using Step = ResponseReader::Step;

constexpr size_t kMaxHead = 4096;

// What became of a response fed in pieces, and of the connection's end after it.
struct Reading {
  bool operator==(const Reading&) const = default;
  Step last = Step::kMore;
  int heads = 0;
  int status = 0;
  std::string body;
  size_t left = 0;  // bytes after the response
  bool keep_alive = false;
  bool whole = false;  // if the connection ends now
};

// `cuts` are the sizes of the pieces; the rest is one more.
Reading Read(std::string_view bytes, const std::vector<size_t>& cuts) {
  ResponseReader reader(kMaxHead);
  Reading reading;
  size_t next = 0;
  while (!bytes.empty() && reading.last == Step::kMore) {
    const size_t size = next < cuts.size() ? std::min(cuts[next++], bytes.size()) : bytes.size();
    std::string_view piece = bytes.substr(0, size);
    bytes.remove_prefix(size);
    std::string_view body;
    for (;;) {
      reading.last = reader.Next(&piece, &body);
      if (reading.last == Step::kHead) {
        EXPECT_EQ(++reading.heads, 1);
        EXPECT_TRUE(reader.head_done());
      } else if (reading.last == Step::kBody) {
        EXPECT_EQ(reading.heads, 1);
        EXPECT_FALSE(body.empty());
        reading.body += body;
      } else {
        break;
      }
    }
    if (reading.last == Step::kMore) {
      EXPECT_TRUE(piece.empty());
    } else {
      std::string_view more = "more";
      EXPECT_EQ(reader.Next(&more, &body), reading.last) << "said again";
    }
    reading.left = piece.size() + bytes.size();
  }
  reading.status = reader.head().status;
  reading.keep_alive = reader.keep_alive();
  reading.whole = reader.EndOfInput();
  if (reading.last == Step::kTooLarge || reading.last == Step::kInvalid) reading.left = 0;
  return reading;
}

// The same however it is cut.
Reading Read(const std::string& bytes) {
  const Reading whole = Read(bytes, {});
  EXPECT_EQ(Read(bytes, std::vector<size_t>(bytes.size(), 1)), whole) << bytes.substr(0, 200);
  std::mt19937 random(static_cast<unsigned>(bytes.size()));
  for (int i = 0; i < 20; ++i) {
    std::vector<size_t> cuts(bytes.size() / 2 + 1);
    std::generate(cuts.begin(), cuts.end(), [&] { return 1 + random() % (i % 2 == 0 ? 5 : 40); });
    EXPECT_EQ(Read(bytes, cuts), whole) << bytes.substr(0, 200);
  }
  return whole;
}

std::string Ok(const std::string& fields, const std::string& body = "") {
  return "HTTP/1.1 200 OK\r\n" + fields + "\r\n" + body;
}

TEST(ResponseReaderTest, AContentLengthEndsTheBody) {
  const Reading read = Read(Ok("Content-Type: a/b\r\nContent-Length: 5\r\n", "hello"));
  EXPECT_EQ(read.last, Step::kEnd);
  EXPECT_EQ(read.status, 200);
  EXPECT_EQ(read.body, "hello");
  EXPECT_TRUE(read.keep_alive);
  EXPECT_TRUE(read.whole);
  EXPECT_EQ(read.left, 0u);
}

TEST(ResponseReaderTest, BytesAfterTheEndAreLeft) {
  EXPECT_EQ(Read(Ok("Content-Length: 2\r\n", "{}HTTP")).left, 4u);
  EXPECT_EQ(Read(Ok("Transfer-Encoding: chunked\r\n", "0\r\n\r\nx")).left, 1u);
  EXPECT_EQ(Read("HTTP/1.1 204 None\r\n\r\nxyz").left, 3u);
}

TEST(ResponseReaderTest, ChunksAreJoined) {
  const Reading read = Read(Ok("Transfer-Encoding: Chunked\r\n",
                               "5\r\nhello\r\n001;name=\"value\"\r\n,\r\nA ; x\r\n0123456789\r\n"
                               "0\r\nExpires: never\r\nX: y\r\n\r\n"));
  EXPECT_EQ(read.last, Step::kEnd);
  EXPECT_EQ(read.body, "hello,0123456789");
  EXPECT_TRUE(read.keep_alive);
}

TEST(ResponseReaderTest, WithoutFramingTheConnectionEndsTheBody) {
  const Reading read = Read(Ok("", "anything\r\n\r\n"));
  EXPECT_EQ(read.last, Step::kMore);
  EXPECT_EQ(read.body, "anything\r\n\r\n");
  EXPECT_TRUE(read.whole);
  EXPECT_FALSE(read.keep_alive);
}

TEST(ResponseReaderTest, WhatIsCutShortIsNotWhole) {
  for (const std::string& bytes :
       {std::string("HTT"), std::string("HTTP/1.1 200 OK\r\nA: b\r\n"),
        std::string("HTTP/1.1 100 Continue\r\n\r\n"), Ok("Content-Length: 5\r\n", "hell"),
        Ok("Transfer-Encoding: chunked\r\n", "5\r\nhell"),
        Ok("Transfer-Encoding: chunked\r\n", "5\r\nhello"),
        Ok("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n"),
        Ok("Transfer-Encoding: chunked\r\n", "0"), Ok("Transfer-Encoding: chunked\r\n", "0\r\n"),
        Ok("Transfer-Encoding: chunked\r\n", "0\r\nA: b\r\n")}) {
    const Reading read = Read(bytes);
    EXPECT_EQ(read.last, Step::kMore) << bytes;
    EXPECT_FALSE(read.whole) << bytes;
    EXPECT_FALSE(read.keep_alive) << bytes;
  }
}

TEST(ResponseReaderTest, SomeAnswersHaveNoBody) {
  for (const std::string& bytes :
       {std::string("HTTP/1.1 204 No Content\r\n\r\n"),
        std::string("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"),
        Ok("Content-Length: 0\r\n")}) {
    const Reading read = Read(bytes);
    EXPECT_EQ(read.last, Step::kEnd) << bytes;
    EXPECT_EQ(read.body, "") << bytes;
    EXPECT_TRUE(read.keep_alive) << bytes;
  }
}

TEST(ResponseReaderTest, TheConnectionIsKeptOnlyWhenBothSidesMeanTo) {
  const std::string length = "Content-Length: 0\r\n";
  EXPECT_TRUE(Read(Ok(length)).keep_alive);
  EXPECT_TRUE(Read(Ok(length + "Connection: keep-alive\r\n")).keep_alive);
  EXPECT_FALSE(Read(Ok(length + "Connection: close\r\n")).keep_alive);
  EXPECT_FALSE(Read(Ok(length + "connection: Upgrade , CLOSE\r\n")).keep_alive);
  EXPECT_FALSE(Read(Ok(length + "Connection: keep-alive\r\nConnection: close\r\n")).keep_alive);
  EXPECT_FALSE(Read("HTTP/1.0 200 OK\r\n" + length + "\r\n").keep_alive);
  EXPECT_TRUE(Read("HTTP/1.0 200 OK\r\n" + length + "Connection: keep-alive\r\n\r\n").keep_alive);
}

// Two framings: the chunks count, as RFC 9112 has it, and nobody else gets the connection.
TEST(ResponseReaderTest, ChunksWinOverALength) {
  const Reading read =
      Read(Ok("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n"));
  EXPECT_EQ(read.last, Step::kEnd);
  EXPECT_EQ(read.body, "{}");
  EXPECT_FALSE(read.keep_alive);
}

TEST(ResponseReaderTest, InterimHeadsAreSkippedUpToABound) {
  const std::string interim = "HTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n\r\n";
  const Reading read = Read(interim + interim + Ok("Content-Length: 1\r\n", "x"));
  EXPECT_EQ(read.last, Step::kEnd);
  EXPECT_EQ(read.body, "x");
  std::string many;
  for (int i = 0; i < 65; ++i) many += "HTTP/1.1 100 C\r\n\r\n";
  EXPECT_EQ(Read(many).last, Step::kTooLarge);
}

TEST(ResponseReaderTest, LargeHeadsAreRefused) {
  EXPECT_EQ(Read(Ok("X: " + std::string(kMaxHead, 'x') + "\r\n")).last, Step::kTooLarge);
  EXPECT_EQ(Read(Ok("X: " + std::string(kMaxHead, 'x'))).last, Step::kTooLarge);
  EXPECT_EQ(
      Read(Ok("Transfer-Encoding: chunked\r\n", "0\r\nX: " + std::string(kMaxHead, 'x'))).last,
      Step::kTooLarge);
}

TEST(ResponseReaderTest, RefusesWhatIsNotHttp) {
  for (const std::string& bytes :
       {std::string("SSH-2.0"),
        std::string("\r\nHTTP/1.1 200 OK\r\n\r\n"),
        std::string("HTTP/2 200\r\n\r\n"),
        std::string("HTTP/1.1  200 OK\r\n\r\n"),
        std::string("HTTP/1.1 2000 OK\r\n\r\n"),
        std::string("HTTP/1.x 200 OK\r\n\r\n"),
        std::string("HTTP/1.1 101 Switching\r\n\r\n"),
        Ok(" folded\r\n"),
        Ok("A: b\r\n \r\n"),
        Ok("A: b\rc\r\n"),
        Ok(std::string("A: \0\r\n", 6)),
        Ok("Content-Length: 1\r\nContent-Length: 2\r\n", "x"),
        Ok("Content-Length: 1\r\nContent-Length: \r\n", "x"),
        Ok("Content-Length: +1\r\n", "x"),
        Ok("Content-Length: 1, 2\r\n", "x"),
        Ok("Content-Length: 1,\r\n", "x"),
        Ok("Content-Length: ,1\r\n", "x"),
        Ok("Content-Length: 1 1\r\n", "x"),
        Ok("Content-Length:\r\n 1\r\n", "x"),
        Ok("Content-Length: 1\r\n 1\r\n", "x"),
        Ok("Content-Length : 1\r\n", "x"),
        Ok("Content-\xC2\xADLength: 1\r\n", "x"),
        Ok("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
        Ok("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"),
        Ok("Transfer-Encoding: \x0B"
           "chunked\r\n",
           "0\r\n\r\n"),
        Ok("\xE9Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        Ok("Content-Length: \r\n", "x"),
        Ok("Content-Length: 0x1\r\n", "x"),
        Ok("Content-Length: 99999999999999999999\r\n", "x"),
        Ok("Transfer-Encoding: gzip, chunked\r\n"),
        Ok("Transfer-Encoding: identity\r\n"),
        Ok("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n")}) {
    const Reading read = Read(bytes);
    EXPECT_EQ(read.last, Step::kInvalid) << bytes;
    EXPECT_EQ(read.heads, 0) << bytes;
    EXPECT_FALSE(read.whole) << bytes;
  }
}

// What browsers and curl take as well: nobody can read another end of the answer out of it.
TEST(ResponseReaderTest, TakesOddHeadersThatChangeNoEnd) {
  for (const std::string header :
       {"Content-Length: 1\r\nContent-Length: 1\r\n", "Content-Length: 1, 1\r\n",
        "Content-Length: 1,1 ,\t1\r\nContent-Length: 1\r\n",
        "Content-Length: 1\r\nA: b\r\n folded\r\n", "Content-Length: 1\r\nA:\r\n\tb\r\n  c\r\n",
        "no colon\r\n folded\r\nContent-Length: 1\r\n", "A : b\r\nContent-Length: 1\r\n",
        ": b\r\nContent-Length: 1\r\n",
        "Gr\xC3\xB6\xC3\x9F"
        "e: b\r\nContent-Length: 1\r\n",
        "A B: c\r\n folded\r\nContent-Length: 1\r\n", "A(b): c\r\nContent-Length: 1\r\n",
        "A: \x01\x1B[m\x7F\r\nContent-Length: 1\r\n"}) {
    const Reading read = Read(Ok(header, "x"));
    EXPECT_EQ(read.last, Step::kEnd) << header;
    EXPECT_EQ(read.body, "x") << header;
    EXPECT_TRUE(read.keep_alive) << header;
  }
  EXPECT_EQ(Read(Ok("A: b\r\n" + std::string(kMaxHead, ' ') + "x\r\n")).last, Step::kTooLarge);
}

TEST(ResponseReaderTest, RefusesBrokenChunks) {
  for (const std::string& chunks :
       {std::string("\r\n"), std::string("ZZ\r\n"), std::string("-1\r\n"), std::string("0x1\r\n"),
        std::string("1\nx"), std::string("1\r\nxy"), std::string("1\r\nx\ry"),
        std::string("1\r\nx\n"), std::string("FFFFFFFFFFFFFFFF\r\n"), std::string("1;a\x01\r\n"),
        "1;" + std::string(5000, 'a') + "\r\nx\r\n", std::string(5000, '0') + "\r\n"}) {
    EXPECT_EQ(Read(Ok("Transfer-Encoding: chunked\r\n", chunks)).last, Step::kInvalid) << chunks;
  }
}

}  // namespace
}  // namespace seekroute
