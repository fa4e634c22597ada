#include "base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace seekroute {
namespace {

constexpr uint8_t kInnerPad = 0x36;
constexpr uint8_t kOuterPad = 0x5c;

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

// A digest that nobody could compute would be equal for all keys: the process ends instead.
void Require(bool done) {
  if (!done) std::abort();
}

// Found once: OpenSSL 3 looks EVP_sha256() up anew in each use, which takes longer than the digest.
const EVP_MD* TheSha256() {
  static const EVP_MD* const found = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return found != nullptr ? found : EVP_sha256();
}

Mac DigestOf(EVP_MD_CTX* context, std::string_view first, std::string_view second) {
  Mac digest{};
  Require(EVP_DigestInit_ex2(context, TheSha256(), nullptr) == 1);
  Require(EVP_DigestUpdate(context, first.data(), first.size()) == 1);
  Require(EVP_DigestUpdate(context, second.data(), second.size()) == 1);
  Require(EVP_DigestFinal_ex(context, digest.data(), nullptr) == 1);
  return digest;
}

template <size_t size>
std::string_view Bytes(const std::array<uint8_t, size>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

MacKey::MacKey(const Secret& key) {
  const std::string_view bytes = key.Reveal();
  if (bytes.size() > kBlock) {
    const Mac shorter = Sha256(bytes);
    std::copy(shorter.begin(), shorter.end(), inner_.begin());
  } else {
    std::copy(bytes.begin(), bytes.end(), inner_.begin());
  }
  for (size_t i = 0; i < kBlock; ++i) {
    outer_[i] = inner_[i] ^ kOuterPad;
    inner_[i] ^= kInnerPad;
  }
}

MacKey::~MacKey() {
  OPENSSL_cleanse(inner_.data(), inner_.size());
  OPENSSL_cleanse(outer_.data(), outer_.size());
}

Mac MacKey::Of(std::string_view message) const {
  const Context context(EVP_MD_CTX_new());
  const Mac inner = DigestOf(context.get(), Bytes(inner_), message);
  return DigestOf(context.get(), Bytes(outer_), Bytes(inner));
}

Mac HmacSha256(const Secret& key, std::string_view message) { return MacKey(key).Of(message); }

Mac Sha256(std::string_view message) {
  const Context context(EVP_MD_CTX_new());
  return DigestOf(context.get(), message, {});
}

bool ConstantTimeEqual(const Mac& a, const Mac& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace seekroute
