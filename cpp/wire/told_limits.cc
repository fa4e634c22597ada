#include "wire/told_limits.h"

#include <charconv>
#include <chrono>
#include <cmath>
#include <optional>

#include "base/ascii.h"

namespace seekroute {
namespace {

// Figures of more digits are nobody's limit.
constexpr size_t kMostDigits = 15;

constexpr std::array<std::string_view, kToldDimensions> kDimensions = {
    "requests", "tokens", "input-tokens", "output-tokens"};
constexpr std::string_view kOpenAi = kToldLimitHeaders[0];
constexpr std::string_view kAnthropic = kToldLimitHeaders[1];

enum class Figure : uint8_t { kLimit, kRemaining, kReset };
constexpr std::array<std::string_view, 3> kFigures = {"limit", "remaining", "reset"};

// As the headers have them; negative: no figure.
struct Raw {
  std::optional<int64_t> limit;
  int64_t remaining = -1;
  Duration reset;
};

template <size_t N>
std::optional<size_t> PlaceOf(std::string_view name, const std::array<std::string_view, N>& names) {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return static_cast<size_t>(found - names.begin());
}

struct Told {
  size_t dimension;
  Figure figure;
};

// "x-ratelimit-remaining-tokens", "anthropic-ratelimit-input-tokens-remaining".
std::optional<Told> ReadName(std::string_view name) {
  std::string_view dimension, figure;
  if (name.starts_with(kOpenAi)) {
    name.remove_prefix(kOpenAi.size());
    const size_t dash = std::min(name.find('-'), name.size());
    figure = name.substr(0, dash);
    dimension = name.substr(std::min(dash + 1, name.size()));
  } else if (name.starts_with(kAnthropic)) {
    name.remove_prefix(kAnthropic.size());
    const size_t dash = std::min(name.rfind('-'), name.size());
    dimension = name.substr(0, dash);
    figure = name.substr(std::min(dash + 1, name.size()));
  }
  const std::optional<size_t> of = PlaceOf(dimension, kDimensions);
  const std::optional<size_t> what = PlaceOf(figure, kFigures);
  if (!of || !what) return std::nullopt;
  return Told{*of, static_cast<Figure>(*what)};
}

int64_t ReadFigure(std::string_view text) {
  if (text.empty() || text.size() > kMostDigits || !std::ranges::all_of(text, IsDigit)) return -1;
  int64_t figure = 0;
  for (const char c : text) figure = figure * 10 + (c - '0');
  return figure;
}

// Of one unit of Go's durations; 0: there is no such unit.
double SecondsOf(std::string_view unit) {
  if (unit == "h") return 3600;
  if (unit == "m") return 60;
  if (unit == "s") return 1;
  if (unit == "ms") return 1e-3;
  if (unit == "us" || unit == "\xc2\xb5s" || unit == "\xce\xbcs") return 1e-6;
  return unit == "ns" ? 1e-9 : 0;
}

Duration SpanOf(double seconds) {
  constexpr double kMost = ToldLimit::kLongestReset.ms() / 1000;
  if (!(seconds > 0) || seconds > kMost) return {};
  return {static_cast<int64_t>(std::ceil(seconds * 1e9))};
}

// "1m30.951s", "12ms", or "59.5" for seconds. 0: it is none of these, or absurd.
Duration ReadSpan(std::string_view text) {
  double seconds = 0;
  for (bool first = true; !text.empty(); first = false) {
    double number = 0;
    if (!IsDigit(text.front())) return {};
    const auto [stop, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc{}) return {};
    text.remove_prefix(static_cast<size_t>(stop - text.data()));
    if (first && text.empty()) return SpanOf(number);
    const auto end = std::ranges::find_if(text, IsDigit);
    const double unit = SecondsOf(text.substr(0, static_cast<size_t>(end - text.begin())));
    if (unit == 0) return {};
    text.remove_prefix(static_cast<size_t>(end - text.begin()));
    seconds += number * unit;
  }
  return SpanOf(seconds);
}

// The number that stands at `at`, in so many digits; -1: there is none.
int NumberAt(std::string_view text, size_t at, size_t digits) {
  if (at + digits > text.size()) return -1;
  return static_cast<int>(ReadFigure(text.substr(at, digits)));
}

// "2026-11-30T13:20:00Z", also with a fraction of a second, which is cut, or an offset.
std::optional<UnixSeconds> ReadInstant(std::string_view text) {
  constexpr size_t kSecondsEnd = sizeof "2026-11-30T13:20:00" - 1;
  if (text.size() <= kSecondsEnd) return std::nullopt;
  const int year = NumberAt(text, 0, 4), month = NumberAt(text, 5, 2), day = NumberAt(text, 8, 2);
  const int hour = NumberAt(text, 11, 2), minute = NumberAt(text, 14, 2);
  const int second = NumberAt(text, 17, 2);
  const bool marks = text[4] == '-' && text[7] == '-' && LowerCase(text[10]) == 't' &&
                     text[13] == ':' && text[16] == ':';
  if (!marks || year < 0 || month < 0 || day < 0) return std::nullopt;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  std::string_view zone = text.substr(kSecondsEnd);
  if (zone.front() == '.') {
    const auto end = std::ranges::find_if_not(zone.substr(1), IsDigit);
    zone.remove_prefix(static_cast<size_t>(end - zone.begin()));
  }
  int64_t offset = 0;
  if (zone.size() == 1 && LowerCase(zone.front()) == 'z') {
    // UTC
  } else if (zone.size() == 6 && (zone[0] == '+' || zone[0] == '-') && zone[3] == ':') {
    const int hours = NumberAt(zone, 1, 2), minutes = NumberAt(zone, 4, 2);
    if (hours < 0 || minutes < 0) return std::nullopt;
    offset = int64_t{hours * 60 + minutes} * (zone[0] == '-' ? -60 : 60);
  } else {
    return std::nullopt;
  }
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return UnixSeconds{((days * 24 + hour) * 60 + minute) * 60 + second - offset};
}

Duration ReadReset(std::string_view text, UnixSeconds now) {
  if (const std::optional<UnixSeconds> instant = ReadInstant(text)) {
    return SpanOf(static_cast<double>(instant->s - now.s));
  }
  return ReadSpan(text);
}

}  // namespace

ToldLimits ReadToldLimits(std::span<const std::pair<std::string, std::string>> headers,
                          UnixSeconds now) {
  std::array<Raw, kToldDimensions> raw;
  for (const auto& [name, value] : headers) {
    const std::optional<Told> told = ReadName(name);
    if (!told) continue;
    Raw& of = raw[told->dimension];
    if (told->figure == Figure::kLimit) of.limit = ReadFigure(value);
    if (told->figure == Figure::kRemaining) of.remaining = ReadFigure(value);
    if (told->figure == Figure::kReset) of.reset = ReadReset(value, now);
  }
  ToldLimits limits;
  for (size_t i = 0; i < kToldDimensions; ++i) {
    const Raw& told = raw[i];
    const bool odd = told.limit && *told.limit <= 0;  // Azure has 0 of 0, others -1
    if (odd || told.remaining < 0 || told.reset.ns == 0) continue;
    limits.of[i] = {told.limit.value_or(0), told.remaining, told.reset};
  }
  return limits;
}

}  // namespace seekroute
