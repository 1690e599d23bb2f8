#include "tls.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/address.hpp>
#include <filesystem>
#include <string_view>

#include <ktrdr/base/log.hpp>

namespace ktrdr {
namespace {

/// Where distributions keep the certificates that they trust.
constexpr std::array<const char*, 5> bundles{
    "/etc/ssl/certs/ca-certificates.crt",                 // Debian, Ubuntu, Arch, Gentoo
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // Fedora, RHEL
    "/etc/pki/tls/certs/ca-bundle.crt",                   // older RHEL
    "/etc/ssl/ca-bundle.pem",                             // SUSE
    "/etc/ssl/cert.pem",                                  // Alpine
};

/// OpenSSL's own word for what went wrong last; its queue is empty afterwards.
std::string openssl_word() {
    const unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    const char* const reason = ERR_reason_error_string(code);
    return reason != nullptr ? reason : "unknown reason";
}

Error unusable(std::string_view field, const std::string& file, std::string_view rule) {
    return fail(Errc::configuration, fmt::format("tls.{} is '{}', but {} ({})", field, file, rule, openssl_word()),
                {{"field", field}, {"value", file}, {"rule", rule}});
}

Result<void> trust(SSL_CTX* context, const TlsOptions& options) {
    if (!options.ca_file.empty()) {
        if (SSL_CTX_load_verify_locations(context, options.ca_file.c_str(), nullptr) != 1) {
            return unusable("ca_file", options.ca_file, "it must be a readable file of certificates in PEM");
        }
        return {};
    }
    for (const char* const bundle : bundles) {
        std::error_code ignored;
        if (std::filesystem::exists(bundle, ignored) && SSL_CTX_load_verify_locations(context, bundle, nullptr) == 1) {
            return {};
        }
    }
    ERR_clear_error();
    if (SSL_CTX_set_default_verify_paths(context) != 1) {
        return fail(Errc::configuration,
                    "no certificates that this system trusts were found: install ca-certificates, or give tls.ca_file");
    }
    return {};
}

Result<void> identify(SSL_CTX* context, const TlsOptions& options) {
    if (options.certificate_file.empty()) {
        return {};
    }
    if (SSL_CTX_use_certificate_chain_file(context, options.certificate_file.c_str()) != 1) {
        return unusable("certificate_file", options.certificate_file, "it must be a readable certificate in PEM");
    }
    if (SSL_CTX_use_PrivateKey_file(context, options.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
        return unusable("key_file", options.key_file,
                        "it must be the certificate's readable key in PEM, not encrypted");
    }
    return {};
}

/// What is spoken at all: TLS 1.2 and 1.3, keys of at least 112 bits of security (RSA of 2048), and none that whoever
/// gets hold of the service's key later can read a recording with.
bool harden(SSL_CTX* context) {
    constexpr int least_security_level = 2;
    constexpr long mode = SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY;
    if (SSL_CTX_get_security_level(context) < least_security_level) {
        SSL_CTX_set_security_level(context, least_security_level);
    }
    // An idle connection keeps no buffers; a moved one may be written again.
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(context, "DEFAULT:!kRSA:!PSK:!SRP:!aNULL:!eNULL") == 1 &&
           (SSL_CTX_set_mode(context, mode) & mode) == mode;
}

/// No prompt on a terminal for an encrypted key.
int no_password(char*, int, int, void*) {
    return 0;
}

}  // namespace

Result<std::shared_ptr<TlsContext>> TlsContext::create(const TlsOptions& options) {
    std::shared_ptr<TlsContext> made(new TlsContext(SSL_CTX_new(TLS_client_method()), options.verify));
    SSL_CTX* const context = made->get();
    if (context == nullptr) {
        return fail(Errc::internal, fmt::format("no TLS context: {}", openssl_word()));
    }
    if (!harden(context)) {
        return fail(Errc::internal,
                    fmt::format("OpenSSL takes none of the ciphers that TLS 1.2 is spoken with: {}", openssl_word()));
    }
    SSL_CTX_set_default_passwd_cb(context, &no_password);
    SSL_CTX_set_verify(context, options.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    if (!options.verify) {
        log(LogLevel::warning, "http",
            "certificates are not checked (tls.verify is false): anybody on the way can read and change what is sent");
    } else if (const auto trusted = trust(context, options); !trusted) {
        return trusted.error();
    }
    if (const auto identified = identify(context, options); !identified) {
        return identified.error();
    }
    return made;
}

TlsSession::TlsSession(std::shared_ptr<TlsContext> context, const std::string& host)
    : context_(std::move(context)), session_(SSL_new(context_->get())), host_(host) {}

Result<TlsSession> TlsSession::create(std::shared_ptr<TlsContext> context, const std::string& host) {
    TlsSession made(std::move(context), host);
    if (!made.session_ || !made.prepare() || !made.expect_peer()) {
        const std::string word = openssl_word();
        return fail(Errc::service_connection,
                    fmt::format("was not made, for OpenSSL cannot be told to expect '{}' there: {}", host, word),
                    {{"tls", word}});
    }
    return made;
}

bool TlsSession::prepare() {
    BIO* const in = BIO_new(BIO_s_mem());
    BIO* const out = BIO_new(BIO_s_mem());
    // Owned by the session from here on, whichever of them there are.
    SSL_set_bio(session_.get(), in, out);
    SSL_set_connect_state(session_.get());
    return in != nullptr && out != nullptr;
}

bool TlsSession::expect_peer() {
    SSL* const session = session_.get();
    X509_VERIFY_PARAM* const expected = SSL_get0_param(session);
    // The zone of an address is this machine's word for the way there, and in no certificate.
    std::string name = host_.substr(0, host_.find('%'));
    boost::system::error_code is_name;
    boost::asio::ip::make_address(name, is_name);
    if (!is_name) {
        // RFC 6066: an address is no server name.
        return X509_VERIFY_PARAM_set1_ip_asc(expected, name.c_str()) == 1;
    }
    // Certificates and server names know no dot at the end, which says only that the name is whole.
    if (name.ends_with('.')) {
        name.pop_back();
    }
    // A common name is what a person reads; what a certificate is for stands in its alternative names (RFC 6125).
    X509_VERIFY_PARAM_set_hostflags(expected,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return !name.empty() && SSL_set_tlsext_host_name(session, name.c_str()) == 1 &&
           X509_VERIFY_PARAM_set1_host(expected, name.c_str(), name.size()) == 1;
}

bool TlsSession::knows_peer() const noexcept {
    return !context_->verifies() ||
           (SSL_get_verify_result(session_.get()) == X509_V_OK && SSL_get0_peer_certificate(session_.get()) != nullptr);
}

Error TlsSession::broken(std::string_view what) const {
    const long verdict = SSL_get_verify_result(session_.get());
    if (context_->verifies() && verdict != X509_V_OK) {
        ERR_clear_error();
        return fail(Errc::service_connection,
                    fmt::format("is not to be trusted: the certificate of {} was refused ({}); give the authority that "
                                "signed it as tls.ca_file, or the name that it is made for",
                                host_, X509_verify_cert_error_string(verdict)),
                    {{"tls", X509_verify_cert_error_string(verdict)}});
    }
    const std::string word = openssl_word();
    return fail(Errc::service_connection, fmt::format("{}: {}", what, word), {{"tls", word}});
}

Result<bool> TlsSession::handshake() {
    ERR_clear_error();
    const int done = SSL_do_handshake(session_.get());
    if (done == 1) {
        return knows_peer() ? Result<bool>(true) : broken("was not made, for the service showed no certificate");
    }
    if (SSL_get_error(session_.get(), done) == SSL_ERROR_WANT_READ) {
        return false;
    }
    return broken("was not made, for the TLS handshake failed");
}

Result<void> TlsSession::receive(std::span<const char> bytes) {
    ERR_clear_error();
    const int size = static_cast<int>(bytes.size());
    // A memory BIO takes everything, as long as there is memory.
    if (size > 0 && BIO_write(SSL_get_rbio(session_.get()), bytes.data(), size) != size) {
        return broken("broke in TLS, which could not take what came");
    }
    return {};
}

Result<std::size_t> TlsSession::read(std::span<char> into) {
    ERR_clear_error();
    const int got = SSL_read(session_.get(), into.data(), static_cast<int>(into.size()));
    if (got > 0) {
        return static_cast<std::size_t>(got);
    }
    switch (SSL_get_error(session_.get(), got)) {
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_ZERO_RETURN: return std::size_t{0};
        default: return broken("broke in TLS");
    }
}

Result<void> TlsSession::write(std::span<const char> bytes) {
    ERR_clear_error();
    if (!bytes.empty() && SSL_write(session_.get(), bytes.data(), static_cast<int>(bytes.size())) <= 0) {
        return broken("could not encrypt in TLS");
    }
    return {};
}

void TlsSession::take_output(std::string& out) {
    BIO* const output = SSL_get_wbio(session_.get());
    const std::size_t before = out.size();
    const std::size_t waiting = BIO_ctrl_pending(output);
    if (waiting > 0) {
        out.resize(before + waiting);
        const int got = BIO_read(output, out.data() + before, static_cast<int>(waiting));
        out.resize(before + static_cast<std::size_t>(std::max(got, 0)));
    }
}

bool TlsSession::closed() const noexcept {
    return (SSL_get_shutdown(session_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
}

bool TlsSession::say_goodbye() noexcept {
    const bool said = SSL_shutdown(session_.get()) >= 0;
    ERR_clear_error();
    return said;
}

}  // namespace ktrdr
