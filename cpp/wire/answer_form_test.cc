#include "wire/answer_form.h"

#include <gtest/gtest.h>

namespace seekroute {
namespace {

using enum AnswerForm;

AnswerForm Look(std::string_view bytes, bool labelled) {
  FormSniffer sniffer;
  AnswerForm form = kUnknown;
  // Byte by byte; what is known stays.
  for (size_t i = 1; i <= bytes.size(); ++i) {
    const AnswerForm now = sniffer.Look(bytes.substr(0, i), labelled);
    EXPECT_TRUE(form == kUnknown || now == form) << bytes;
    form = now;
  }
  EXPECT_EQ(FormSniffer().Look(bytes, labelled), form) << bytes;
  return form;
}

TEST(FormSnifferTest, TheFirstBytesTell) {
  for (const char* events :
       {"data: {}", "data:", ": c", "event:x", "id:", "retry:9", "\n\r\n data:",
        "\xEF\xBB\xBF"
        "data: 1"}) {
    EXPECT_EQ(Look(events, false), kEvents) << events;
    EXPECT_EQ(Look(events, true), kEvents) << events;
  }
  for (const char* whole : {"[]", "<html>", " \n[", "{\n", "{oops}\n", "{\"a\":\n1}", "{}{}\n"}) {
    EXPECT_EQ(Look(whole, false), kWhole) << whole;
    EXPECT_EQ(Look(whole, true), kWhole) << whole;
  }
  for (const char* unclear : {"", " ", "\xEF", "\xEF\xBB\xBF", "d", "data", "even", "i", "retry",
                              "{", " \n{", "\xEF\xBB\xBF{}", "{\"a\":1}", "{}\n \r\n"}) {
    EXPECT_EQ(Look(unclear, true), kUnknown) << unclear;
  }
  for (const char* lines : {"{}\n{", "{\"error\":1}\n\ndata: [DONE]", "\xEF\xBB\xBF{} \r\nx",
                            "{\"object\":\"chat.completion.chunk\"}\n"}) {
    EXPECT_EQ(Look(lines, false), kEvents) << lines;
    EXPECT_EQ(Look(lines, true), kEvents) << lines;
  }
  EXPECT_EQ(Look("{\"a\":\"\\\"chat.completion.chunk\\\"\"}\n", true), kUnknown);
  for (const char* word : {"database", "oops", "\"text\"", "\xEFx"}) {
    EXPECT_EQ(Look(word, false), kWhole) << word;
    EXPECT_EQ(Look(word, true), kEvents) << word;
  }
}

TEST(FormSnifferTest, NamesWhatIsNoJson) {
  EXPECT_EQ(NameOfNoJson("text/html", " {"), "");
  EXPECT_EQ(NameOfNoJson("text/html", "<p>"), "text/html");
  EXPECT_EQ(NameOfNoJson("application/problem+json", "<p>"), "HTML or XML");
  EXPECT_EQ(NameOfNoJson("text/\x1B[31m", "x"), "text");
  EXPECT_EQ(NameOfNoJson(std::string(65, 'x'), "x"), "text");
  EXPECT_EQ(NameOfNoJson("text/html", " \n"), "an empty body");
}

}  // namespace
}  // namespace seekroute
