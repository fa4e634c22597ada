#include "testing/transcoder_cuts.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <utility>

#include "testing/corpora.h"
#include "wire/protocols/protocols.h"

namespace seekroute::testing {
namespace {

using State = Transcoder::State;

std::string Told(const std::optional<int64_t>& count) {
  return count ? std::to_string(*count) : "-";
}

std::string Known(const Transcoder& way, const Status& fed) {
  const Reading reading = way.reading();
  std::string text = fed ? "" : "!" + std::string(fed.error().name()) + " " + fed.error().message;
  text += "\nstate " + std::to_string(static_cast<int>(way.state()));
  text += " content " + std::to_string(way.has_content());
  text += " pieces " + std::to_string(way.pieces());
  text += " whole " + std::to_string(way.IsWhole());
  text += "\nprompt " + Told(reading.usage.prompt);
  text += " completion " + Told(reading.usage.completion);
  text += " total " + Told(reading.usage.total);
  text += " cached " + Told(reading.usage.cached);
  text += " odd " + std::to_string(reading.usage_odd);
  text += " images " + Told(reading.usage.images);
  text += " usage_whole " + std::to_string(reading.usage_whole);
  text += " streamed " + std::to_string(reading.streamed);
  text += " any " + std::to_string(reading.any_output);
  text += " finish " + reading.finish_reason + " tier " + reading.service_tier;
  text += " counted " + std::to_string(way.CountContent().tokens);
  return text;
}

}  // namespace

AskedOfDialect::AskedOfDialect(SurfaceId surface, DialectId dialect, std::string body)
    : dialect_(dialect), body_(std::move(body)) {
  plan.surface = surface;
  plan.upstream_model = "up";
  plan.names = {"gen-1", "chat.completion", "m/n", 77};
  Result<std::unique_ptr<const ParsedRequest>> read = SurfaceOf(surface).Read(body_, profile_, {});
  EXPECT_TRUE(read.has_value());
  request_ = std::move(*read);
}

Result<std::unique_ptr<Transcoder>> AskedOfDialect::TryOpen() const {
  TranscoderPlan all = plan;
  all.request = request_.get();
  all.body = body_;
  all.form = &form;
  return DialectOf(dialect_).Open(std::move(all));
}

std::unique_ptr<Transcoder> AskedOfDialect::Open() const {
  Result<std::unique_ptr<Transcoder>> way = TryOpen();
  EXPECT_TRUE(way.has_value());
  return std::move(*way);
}

Ended Relay(const AskedOfDialect& asked, std::string_view bytes, std::string_view media_type) {
  const std::unique_ptr<Transcoder> way = asked.Open();
  way->OnHead(media_type);
  Ended ended;
  Status fed = way->Feed(bytes, &ended.out);
  if (fed) fed = way->EndOfInput(&ended.out);
  ended.known = Known(*way, fed);
  if (fed) way->Finish(asked.report, &ended.out);
  return ended;
}

Ended SameAtEveryCut(const AskedOfDialect& asked, std::string_view bytes,
                     std::string_view media_type) {
  Ended whole = Relay(asked, bytes, media_type);
  std::unique_ptr<Transcoder> way;
  std::string out, round;
  Status fed;
  const auto start = [&](std::string name) {
    round = std::move(name);
    way = asked.Open();
    way->OnHead(media_type);
    out.clear();
    fed = {};
  };
  const auto feed = [&](std::string_view piece) {
    if (fed) fed = way->Feed(piece, &out);
    // What was written can be seen: another try is none of the first any more.
    ASSERT_TRUE(out.empty() || way->state() != State::kSilent) << round;
    ASSERT_TRUE(out.empty() || way->streams()) << round;
    ASSERT_EQ(fed.ok(), way->state() != State::kFailed) << round;
  };
  const auto done = [&] {
    if (fed) fed = way->EndOfInput(&out);
    EXPECT_EQ(Known(*way, fed), whole.known) << round;
    ASSERT_EQ(fed.ok(), way->state() == State::kEnded) << round;
    if (fed) way->Finish(asked.report, &out);
    EXPECT_EQ(out, whole.out) << round;
    // A failure lasts, and so does an end.
    std::string more;
    EXPECT_EQ(way->Feed("data: [DONE]\n\n", &more).ok(), fed.ok()) << round;
    EXPECT_EQ(way->Feed("{}", &more).ok(), fed.ok()) << round;
    EXPECT_EQ(way->EndOfInput(&more).ok(), fed.ok()) << round;
    EXPECT_EQ(more, "") << round;
  };
  ForEachCutting(bytes, 20, start, feed, done);
  for (size_t cut = 1; cut < bytes.size(); ++cut) {
    start("cut at " + std::to_string(cut));
    feed(bytes.substr(0, cut));
    feed(bytes.substr(cut));
    done();
    if (::testing::Test::HasFailure()) break;
  }
  return whole;
}

}  // namespace seekroute::testing
