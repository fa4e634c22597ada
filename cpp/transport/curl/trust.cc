#include "transport/curl/trust.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>
#include <system_error>

#include "transport/curl/tls.h"

namespace seekroute {
namespace {

// Empty when it can be read.
std::string Unreadable(const std::string& file) {
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  char byte;
  const bool read_one = fd >= 0 && read(fd, &byte, 1) >= 0;
  const int reason = errno;
  if (fd >= 0) close(fd);
  return read_one ? std::string() : std::generic_category().message(reason);
}

bool IsHashed(std::string_view name) {
  constexpr size_t kHash = 8;
  constexpr std::string_view kHex = "0123456789abcdef";
  constexpr std::string_view kDigits = "0123456789";
  return name.size() > kHash + 1 && name[kHash] == '.' &&
         name.substr(0, kHash).find_first_not_of(kHex) == std::string_view::npos &&
         name.substr(kHash + 1).find_first_not_of(kDigits) == std::string_view::npos;
}

bool HoldsCertificate(const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> opened(opendir(directory.c_str()), &closedir);
  if (opened == nullptr) return false;
  while (const dirent* const entry = readdir(opened.get())) {
    if (IsHashed(entry->d_name)) return true;
  }
  return false;
}

}  // namespace

std::string TrustProblem(const std::string& ca_file) {
  if (TlsContext(ca_file).ok()) return {};
  if (ca_file.empty()) return "this machine has no certificates of authorities";
  const std::string unreadable = Unreadable(ca_file);
  if (!unreadable.empty()) return "the file cannot be read: " + unreadable;
  return "the file holds no certificate";
}

bool HoldCertificates(std::string_view directories) {
  while (!directories.empty()) {
    const size_t end = std::min(directories.find(':'), directories.size());
    if (HoldsCertificate(std::string(directories.substr(0, end)))) return true;
    directories.remove_prefix(std::min(end + 1, directories.size()));
  }
  return false;
}

std::string KnownBundle(const std::string& root) {
  for (const char* const place : {
           "/etc/ssl/certs/ca-certificates.crt",                 // Debian, Ubuntu, Alpine, Arch
           "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // Fedora, RHEL
           "/etc/pki/tls/certs/ca-bundle.crt",                   // their older releases
           "/etc/ssl/ca-bundle.pem",                             // openSUSE
       }) {
    std::string file = root + place;
    if (Unreadable(file).empty()) return file;
  }
  return {};
}

}  // namespace seekroute
