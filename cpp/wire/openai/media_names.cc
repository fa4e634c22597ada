#include "wire/openai/media_names.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>

#include "base/ascii.h"
#include "base/letter_case.h"

namespace seekroute {
namespace {

// Wherever they stand in a name: nothing else is spelled so.
constexpr auto kMediaInside = std::to_array<std::string_view>(
    {"attachment", "audio", "base64", "document", "image", "media", "photo", "picture",
     "screenshot", "thumbnail", "upload", "video"});
// As whole words.
constexpr auto kMediaWords = std::to_array<std::string_view>(
    {"asset", "assets", "blob",    "cached", "clip",   "conversation", "doc",     "docs",
     "file",  "fileid", "fileids", "files",  "frame",  "frames",       "gif",     "href",
     "img",   "imgs",   "jpeg",    "jpg",    "link",   "links",        "mp3",     "mp4",
     "pdf",   "pdfs",   "png",     "sound",  "sounds", "source",       "sources", "speech",
     "src",   "uri",    "uris",    "url",    "urls",   "voice",        "wav",     "webp"});
constexpr auto kServiceWords = std::to_array<std::string_view>(
    {"browse", "browser", "browsing", "connector", "connectors", "crawl", "fetch", "grounding",
     "interpreter", "knowledge", "plugin", "plugins", "rag", "retrieval", "retrieve", "retriever",
     "search", "web", "websearch"});
// With an `id` beside them: what a provider keeps.
constexpr auto kStoreWords = std::to_array<std::string_view>(
    {"assistant", "cache", "collection", "container", "context", "corpus", "dataset", "index",
     "memories", "memory", "parent", "previous", "prompt", "response", "store", "stores", "thread",
     "vector"});
constexpr auto kTextNames = std::to_array<std::string_view>(
    {"content", "description", "name", "query", "reasoning", "reasoning_content",
     "reasoning_opaque", "reasoning_text", "refusal", "signature", "snippet", "text", "thinking",
     "thoughtSignature", "thought_signature", "title"});
// What an answer said of its sources, or told a tool: it comes back with the history, and nobody
// fetches it.
constexpr auto kQuotedNames = std::to_array<std::string_view>(
    {"args", "arguments", "citation", "citations", "container_file_citation", "file_citation",
     "logprobs", "parsed", "search_results", "url_citation"});
constexpr auto kCitationTypes = std::to_array<std::string_view>(
    {"char_location", "citation", "container_file_citation", "content_block_location",
     "file_citation", "file_path", "page_location", "search_result_location", "url_citation",
     "web_search_result_location"});
constexpr auto kSchemes = std::to_array<std::string_view>(
    {"blob:", "data:", "file:", "ftp:", "gs:", "http:", "https:", "s3:", "//"});
constexpr auto kIdsAndTypes = std::to_array<std::string_view>(
    {"application/pdf", "asst_", "audio/", "audio_", "cachedcontents/", "cntr_", "conv_", "file-",
     "file_", "files/", "image/", "resp_", "thread_", "video/", "vs_"});
// JPEG, PNG, GIF, WebP and WAV, PDF, MP3, Ogg.
constexpr auto kBase64Heads = std::to_array<std::string_view>(
    {"/9j/", "iVBOR", "R0lGOD", "UklGR", "JVBERi", "SUQz", "T2dnU"});

// What is no picture, whatever its data URL says: PDF, ZIP, OLE, RTF, gzip; MP3, Ogg, FLAC, AMR,
// AIFF, CAF; Matroska, FLV, ASF, MPEG; playlists. MPEG audio without a head begins with "//" there.
constexpr auto kOtherHeads = std::to_array<std::string_view>(
    {"//", "0M8R4", "AAABs", "AAABu", "GkXfo", "H4sI", "I0VYVE", "IyFBT", "JVBERi", "MCayd", "R0AA",
     "Rk9ST", "RkxWA", "SUQz", "T2dnU", "UEsDB", "Y2Fmc", "ZkxhQ", "e1xydG"});
// ISO media: MP4, but for the brands of pictures. Base64 of "ftyp" behind four bytes.
constexpr std::string_view kIsoHead = "AAAA";
constexpr std::string_view kIsoMark = "Z0eXB";
constexpr size_t kIsoMarkAt = 6;
constexpr auto kPictureBrands = std::to_array<std::string_view>(  // AVIF and HEIF
    {"hdmlm", "hdmlz", "oZWlj", "oZWlt", "oZWlz", "oZWl4", "oZXZj", "oZXZ4", "taWYx", "tc2Yx"});
// Hosts of videos, and of what a provider keeps, with whatever is below them but for the next.
constexpr auto kOtherHosts = std::to_array<std::string_view>(
    {"generativelanguage.googleapis.com", "youtu.be", "youtube-nocookie.com", "youtube.com"});
constexpr std::string_view kThumbnailHost = "img.youtube.com";
constexpr auto kStoreIds =
    std::to_array<std::string_view>({"asst_", "cachedcontents/", "cntr_", "conv_", "file-", "file_",
                                     "files/", "resp_", "thread_", "vs_"});

// JPEG, PNG, GIF; and the end of the head of WebP, which begins as WAV does.
constexpr auto kPictureHeads = std::to_array<std::string_view>({"/9j/", "iVBOR", "R0lGOD"});
constexpr std::string_view kWebpMark = "XRUJQ";
constexpr size_t kWebpMarkAt = 11;
// What is no picture, by its MIME type and by the end of its name.
constexpr auto kOtherTypes =
    std::to_array<std::string_view>({"application/", "audio/", "text/", "video/"});
constexpr auto kOtherFiles = std::to_array<std::string_view>(
    {".3g2",  ".3gp",  ".aac",  ".aif", ".aiff", ".amr",  ".avi",  ".caf",  ".csv", ".doc", ".docx",
     ".epub", ".flac", ".flv",  ".htm", ".html", ".json", ".m2ts", ".m3u8", ".m4a", ".m4v", ".md",
     ".mka",  ".mkv",  ".mov",  ".mp3", ".mp4",  ".mpd",  ".mpeg", ".mpg",  ".mts", ".odt", ".oga",
     ".ogg",  ".ogv",  ".opus", ".pdf", ".ppt",  ".pptx", ".rtf",  ".ts",   ".tsv", ".txt", ".vob",
     ".wav",  ".webm", ".wma",  ".wmv", ".xls",  ".xlsx", ".xml",  ".zip"});

static_assert(std::ranges::is_sorted(kTextNames));
static_assert(std::ranges::is_sorted(kQuotedNames));
static_assert(std::ranges::is_sorted(kCitationTypes));

bool Has(std::span<const std::string_view> words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

// Cuts `name`, lowered, into words as its marks and capitals show them.
template <typename Visit>
void VisitWords(std::string_view name, std::string_view lowered, Visit visit) {
  size_t begin = 0;
  const auto end_at = [&](size_t end) {
    if (end > begin) visit(lowered.substr(begin, end - begin));
    begin = end;
  };
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (!IsUpper(c) && !IsLower(c) && !IsDigit(c)) {
      end_at(i);
      begin = i + 1;
    } else if (IsUpper(c) && i > 0 && !IsUpper(name[i - 1])) {
      end_at(i);
    }
  }
  end_at(name.size());
}

std::string_view Trimmed(std::string_view text) {
  size_t at = 0;
  while (at < text.size() && static_cast<unsigned char>(text[at]) <= ' ') ++at;
  return text.substr(at);
}

bool BeginsWith(std::string_view text, std::string_view head) {
  return text.size() >= head.size() && IsSameButForCase(text.substr(0, head.size()), head);
}

// Of a file, an address or an id: its bytes are far below the bound of a picture.
constexpr size_t kLongestName = 2048;
constexpr size_t kLongestEnd = 6;  // of its suffix
constexpr size_t kLongestScheme = 16;
constexpr size_t kLongestId = 256;

bool IsBase64OfPicture(std::string_view text) {
  if (text.starts_with("UklGR"))
    return text.substr(0, kWebpMarkAt + kWebpMark.size()).ends_with(kWebpMark);
  return std::ranges::any_of(kPictureHeads,
                             [text](std::string_view head) { return text.starts_with(head); });
}

// Base64 that begins like a file of something else.
bool IsBase64OfOther(std::string_view text) {
  const auto begins = [text](std::string_view head) { return text.starts_with(head); };
  if (text.starts_with("UklGR") && text.size() >= kWebpMarkAt + kWebpMark.size()) {
    return !IsBase64OfPicture(text);
  }
  if (text.starts_with(kIsoHead) && text.size() > kIsoMarkAt &&
      text.substr(kIsoMarkAt).starts_with(kIsoMark)) {
    const std::string_view brand = text.substr(kIsoMarkAt + kIsoMark.size());
    return std::ranges::none_of(
        kPictureBrands, [brand](std::string_view known) { return brand.starts_with(known); });
  }
  return std::ranges::any_of(kOtherHeads, begins);
}

// Whether the last name in the path of `text` has an end of something else, before whatever stands
// behind it: blanks, written as they are or as %20, or parameters.
bool IsNamedAsOther(std::string_view text) {
  text = text.substr(0, text.find_first_of("?#"));
  while (!text.empty() && (text.back() == '/' || text.back() == ' ')) text.remove_suffix(1);
  const std::string_view name = text.substr(text.rfind('/') + 1);
  for (size_t dot = name.find('.'); dot != std::string_view::npos; dot = name.find('.', dot + 1)) {
    if (dot == 0) continue;  // a name has more
    const std::string_view rest = name.substr(dot);
    const std::string_view end = rest.substr(0, rest.find_first_of(";&% "));
    const std::string_view behind = rest.substr(end.size());
    const bool more = behind.starts_with('%') && behind.find('.') != std::string_view::npos;
    if (more || end.size() > kLongestEnd) continue;
    if (std::ranges::any_of(
            kOtherFiles, [end](std::string_view other) { return IsSameButForCase(end, other); })) {
      return true;
    }
  }
  return false;
}

bool IsOtherHost(std::string_view text) {
  const size_t slashes = text.substr(0, kLongestScheme).find("//");
  if (slashes != std::string_view::npos) text.remove_prefix(slashes + 2);
  text = text.substr(0, text.find_first_of("/?#"));
  if (const size_t at = text.rfind('@'); at != std::string_view::npos) text.remove_prefix(at + 1);
  text = text.substr(0, text.find(':'));
  if (IsSameButForCase(text, kThumbnailHost)) return false;
  return std::ranges::any_of(kOtherHosts, [text](std::string_view host) {
    if (text.size() < host.size()) return false;
    const size_t below = text.size() - host.size();
    return IsSameButForCase(text.substr(below), host) && (below == 0 || text[below - 1] == '.');
  });
}

// An id, and not the name of a file that begins like one.
bool IsStoreId(std::string_view text) {
  return text.size() < kLongestId && text.find('.') == std::string_view::npos &&
         std::ranges::any_of(kStoreIds,
                             [text](std::string_view head) { return BeginsWith(text, head); });
}

bool HasSpace(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) <= ' '; });
}

}  // namespace

bool IsCitation(std::string_view type) { return std::ranges::binary_search(kCitationTypes, type); }

NameMeans MeaningOf(std::string_view name) {
  if (std::ranges::binary_search(kTextNames, name)) return NameMeans::kText;
  if (std::ranges::binary_search(kQuotedNames, name)) return NameMeans::kQuoted;
  std::string lowered(name);
  for (char& c : lowered) c = IsUpper(c) ? static_cast<char>(c + ('a' - 'A')) : c;
  for (const std::string_view inside : kMediaInside) {
    if (lowered.find(inside) != std::string::npos) return NameMeans::kMedia;
  }
  bool media = false;
  bool service = false;
  bool store = false;
  bool id = false;
  VisitWords(name, lowered, [&](std::string_view word) {
    media = media || Has(kMediaWords, word);
    service = service || Has(kServiceWords, word);
    store = store || Has(kStoreWords, word);
    id = id || word == "id" || word == "ids";
  });
  if (service) return NameMeans::kService;
  return media || (store && id) ? NameMeans::kMedia : NameMeans::kNothing;
}

bool CanBeReference(std::string_view text) {
  text = Trimmed(text);
  const auto begins = [text](std::string_view head) { return BeginsWith(text, head); };
  if (std::ranges::any_of(kSchemes, begins)) return true;
  if (std::ranges::any_of(kBase64Heads,
                          [text](std::string_view head) { return text.starts_with(head); })) {
    return true;
  }
  const bool formed =
      std::ranges::any_of(kIdsAndTypes, begins) || text.find("://") != std::string_view::npos;
  return formed && !HasSpace(text);
}

bool CanBePicture(std::string_view text) {
  text = Trimmed(text);
  if (BeginsWith(text, "data:")) {
    const size_t comma = text.find(',');
    return BeginsWith(text, "data:image/") &&
           (comma == std::string_view::npos || !IsBase64OfOther(Trimmed(text.substr(comma + 1))));
  }
  const auto begins = [text](std::string_view head) { return BeginsWith(text, head); };
  if (std::ranges::any_of(kOtherTypes, begins)) return false;
  if (IsBase64OfPicture(text)) return true;
  // Two slashes begin an address here.
  if (!text.starts_with("//") && IsBase64OfOther(text)) return false;
  const bool address = text.substr(0, kLongestScheme).find("://") != std::string_view::npos;
  if (!address && text.size() > kLongestName) return false;
  return !IsStoreId(text) && !IsOtherHost(text) && !IsNamedAsOther(text);
}

}  // namespace seekroute
