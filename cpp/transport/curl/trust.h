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

}  // namespace seekroute
