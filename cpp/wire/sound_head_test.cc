#include "wire/sound_head.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace seekroute {
namespace {

std::string Base64(std::string_view bytes) {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t three = 0;
    for (size_t j = i; j < i + 3; ++j) {
      three = three << 8 | (j < bytes.size() ? static_cast<unsigned char>(bytes[j]) : 0u);
    }
    for (size_t j = 0; j < 4; ++j) {
      text += i + j > bytes.size() ? '=' : kLetters[three >> (18 - 6 * j) & 63];
    }
  }
  return text;
}

std::string Little(uint64_t number, int bytes) {
  std::string text;
  for (; bytes > 0; --bytes, number >>= 8) text += static_cast<char>(number & 0xff);
  return text;
}

std::string Chunk(std::string_view name, std::string_view content) {
  return std::string(name) + Little(content.size(), 4) + std::string(content);
}

struct Format {
  uint64_t tag = 1;
  uint64_t channels = 1;
  uint64_t rate = 16'000;
  uint64_t bits = 16;
  std::string rest = {};
  uint64_t byte_rate = 0;  // 0: as the others say
  uint64_t block = 0;      // likewise
};

std::string Fmt(const Format& f) {
  const uint64_t block = f.block > 0 ? f.block : f.channels * f.bits / 8;
  const uint64_t byte_rate = f.byte_rate > 0 ? f.byte_rate : f.rate * block;
  return Chunk("fmt ", Little(f.tag, 2) + Little(f.channels, 2) + Little(f.rate, 4) +
                           Little(byte_rate, 4) + Little(block, 2) + Little(f.bits, 2) + f.rest);
}

std::string Riff(const std::string& chunks) { return Chunk("RIFF", "WAVE" + chunks); }

std::string Wav(const Format& f) { return Riff(Fmt(f) + Chunk("data", std::string(100, '\0'))); }

// What stands behind the usual head where a format has a subformat.
std::string Extended(uint64_t tag, char end = '\x71') {
  constexpr std::string_view kRest("\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b", 13);
  return Little(22, 2) + Little(16, 2) + Little(0, 4) + Little(tag, 2) + std::string(kRest) + end;
}

// A frame of MPEG sound: the second and third byte of its head, and its length.
std::string Frame(uint64_t second, uint64_t third, size_t size) {
  return "\xff" + Little(second, 1) + Little(third, 1) + std::string(size - 3, '\0');
}

std::string Tag(uint64_t size, bool foot = false) {
  return "ID3" + Little(4, 2) + Little(foot ? 0x10 : 0, 1) + Little(0, 2) + Little(size >> 7, 1) +
         Little(size & 0x7f, 1) + std::string(size + (foot ? 10 : 0), '\0');
}

TEST(SoundHeadTest, WavWithPlainSamplesIsSized) {
  const std::string samples = Chunk("data", std::string(100, '\0'));
  const std::string cases[] = {
      Wav({}),
      Wav({.channels = 2, .rate = 44'100}),
      Wav({.rate = 4000, .bits = 8}),
      Wav({.bits = 24}),
      Wav({.tag = 3, .bits = 32}),
      Wav({.tag = 6, .rate = 8000, .bits = 8, .rest = Little(0, 2)}),
      Wav({.tag = 7, .rate = 8000, .bits = 8}),
      Wav({.tag = 0xfffe, .rest = Extended(1)}),
      Wav({.tag = 0xfffe, .bits = 32, .rest = Extended(3)}),
      // Behind other chunks, before others, and as a stream writes it.
      Riff(Chunk("JUNK", std::string(28, 'x')) + Fmt({}) + Chunk("LIST", "INFO") + samples +
           Chunk("id3 ", std::string(11, 'x'))),
      Riff(Fmt({}) + "data" + Little(0xffffffff, 4) + std::string(99, '\1')),
      Riff(Fmt({}) + Chunk("data", std::string(99, '\0'))),
  };
  for (const std::string& bytes : cases) {
    EXPECT_TRUE(IsSizedSound(Base64(bytes))) << Base64(bytes);
  }
  std::string broken = Base64(Wav({}));
  for (size_t at = 76; at < broken.size(); at += 78) broken.insert(at, "\r\n");
  EXPECT_TRUE(IsSizedSound(broken));
}

TEST(SoundHeadTest, WavThatMayPlayForHoursIsNot) {
  const std::string samples = Chunk("data", std::string(100, '\0'));
  const std::string cases[] = {
      Wav({.rate = 1, .bits = 8}),
      Wav({.rate = 3999}),
      Wav({.byte_rate = 1}),
      Wav({.block = 1}),
      Wav({.channels = 0, .byte_rate = 32'000, .block = 2}),
      Wav({.bits = 4, .byte_rate = 8000, .block = 1}),
      Wav({.bits = 72}),
      Wav({.tag = 7, .bits = 16}),
      // Compressed, also under another name.
      Wav({.tag = 2}),
      Wav({.tag = 0x11}),
      Wav({.tag = 0x55}),
      Wav({.tag = 0x704f}),
      Wav({.tag = 0xfffe}),
      Wav({.tag = 0xfffe, .rest = Extended(2)}),
      Wav({.tag = 0xfffe, .rest = Extended(1, '\x72')}),
      // A second format, wherever a decoder may find it.
      Riff(Fmt({}) + Fmt({.rate = 1}) + samples),
      Riff(Fmt({}) + samples + Fmt({.rate = 1})),
      Riff(Chunk("JUNK", std::string(5, 'x')) + Fmt({}) + samples),
      Riff(samples + Fmt({})),
      Riff(Fmt({})),
      Riff(samples),
      Wav({}).substr(0, 30),
      "RF64" + Wav({}).substr(4),
  };
  for (const std::string& bytes : cases) {
    EXPECT_FALSE(IsSizedSound(Base64(bytes))) << Base64(bytes);
  }
  std::string many = Fmt({});
  for (int i = 0; i < 100; ++i) many += Chunk("LIST", "");
  EXPECT_FALSE(IsSizedSound(Base64(Riff(many + samples))));
}

TEST(SoundHeadTest, Mp3IsSizedByItsFrames) {
  const std::string usual = Frame(0xfb, 0x90, 417);    // 128 kbit at 44.1 kHz
  const std::string padded = Frame(0xfb, 0x92, 418);   // likewise
  const std::string lowest = Frame(0xe3, 0x18, 72);    // 8 kbit at 8 kHz
  const std::string second = Frame(0xf3, 0x84, 192);   // 64 kbit at 24 kHz
  const std::string layer_1 = Frame(0xff, 0x14, 32);   // 32 kbit at 48 kHz
  const std::string layer_2 = Frame(0xfd, 0xc4, 768);  // 256 kbit at 48 kHz
  for (const std::string& frame : {usual, padded, lowest, second, layer_1, layer_2}) {
    for (const std::string& tag : {std::string(), Tag(0), Tag(1000), Tag(300, true)}) {
      EXPECT_TRUE(IsSizedSound(Base64(tag + frame + frame))) << Base64(frame);
      EXPECT_TRUE(IsSizedSound(Base64(tag + frame + usual))) << Base64(frame);
      EXPECT_TRUE(IsSizedSound(Base64(tag + frame.substr(0, 20))));
      EXPECT_FALSE(IsSizedSound(Base64(tag + frame + "OggS" + frame)));
      EXPECT_FALSE(IsSizedSound(Base64(tag + "x" + frame + frame)));
    }
    EXPECT_FALSE(IsSizedSound(Base64(Tag(1000).substr(0, 500))));
    EXPECT_FALSE(IsSizedSound(Base64("ID3\4" + frame)));
  }
  for (const std::string& frame : {
           Frame(0xfb, 0x00, 417),  // no rate
           Frame(0xfb, 0xf0, 417),  // none that is known
           Frame(0xfb, 0x9c, 417), Frame(0xeb, 0x90, 417), Frame(0xf1, 0x90, 417),  // AAC
       }) {
    EXPECT_FALSE(IsSizedSound(Base64(frame + frame))) << Base64(frame);
  }
}

TEST(SoundHeadTest, EverythingElseIsNot) {
  const std::string wav = Base64(Wav({}));
  const std::string cases[] = {
      "",
      "A",
      "AAAA",
      "=",
      "//x/hour",
      "https://x/hour.wav",
      "file-abc",
      "data:audio/wav;base64," + wav,
      Base64("fLaC" + std::string(100, '\0')),
      Base64("OggS" + std::string(100, '\0')),
      Base64(Tag(0) + "fLaC"),
      Base64(std::string(100'000, '\0')),
      // Of which decoders make different bytes.
      wav.substr(0, 60) + "-" + wav.substr(60),
      wav.substr(0, 60) + "_" + wav.substr(60),
      wav.substr(0, 60) + "=" + wav.substr(60),
      wav.substr(0, 60) + " " + wav.substr(60),
      wav + "===",
  };
  for (const std::string& text : cases) EXPECT_FALSE(IsSizedSound(text)) << text.substr(0, 99);
}

}  // namespace
}  // namespace seekroute
