// Whether there is anybody to trust: asked before requests are, for a gateway that trusts nobody
// reaches nobody.
#pragma once

#include <string>
#include <string_view>

namespace seekroute {

// Why no TLS connection can be verified with `ca_file` (empty: the system's store), in words that
// follow its name; empty when one can be. Reads the files; any thread.
std::string TrustProblem(const std::string& ca_file);

// One of the directories, separated by colons, has a certificate under a name that OpenSSL looks
// for: "5ed36f99.0".
bool HoldCertificates(std::string_view directories);

// The bundle of authorities where distributions keep it, for a libcurl that was not told at its
// build; empty if there is none. `root` stands before every place.
std::string KnownBundle(const std::string& root = "");

}  // namespace seekroute
