#include <ktrdr/http/digest.hpp>

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>

namespace ktrdr {
namespace {

constexpr std::string_view begins = "sha-256=:";

/// The SHA-256 of a text in base64; empty where OpenSSL does not give it.
std::string sha256_base64(std::string_view text) {
    constexpr std::size_t bytes = 32;
    constexpr std::size_t letters = 44;
    std::array<unsigned char, bytes> sum{};
    unsigned int size = 0;
    if (EVP_Digest(text.data(), text.size(), sum.data(), &size, EVP_sha256(), nullptr) != 1 || size != bytes) {
        return {};
    }
    // With the zero that OpenSSL puts behind it.
    std::array<unsigned char, letters + 1> encoded{};
    const int length = EVP_EncodeBlock(encoded.data(), sum.data(), static_cast<int>(bytes));
    return {encoded.begin(), encoded.begin() + length};
}

}  // namespace

Result<void> check_digest(const Response& response) {
    const std::string* const field = find_header(response.headers, "Repr-Digest");
    const std::size_t at = field == nullptr ? std::string::npos : field->find(begins);
    if (at == std::string::npos) {
        return fail(Errc::protocol,
                    "the response has no Repr-Digest with a sha-256, so nobody can tell whether it is whole");
    }
    const std::size_t first = at + begins.size();
    const std::string said = field->substr(first, field->find(':', first) - first);
    const std::string is = sha256_base64(response.body);
    if (is.empty() || is != said) {
        return fail(Errc::protocol,
                    fmt::format("the {} bytes of the response are not those that were sent: their sha-256 is {}, and "
                                "Repr-Digest says {}",
                                response.body.size(), is, said.substr(0, is.size() + 1)));
    }
    return {};
}

}  // namespace ktrdr
