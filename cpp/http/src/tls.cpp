#include "tls.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

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
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    // An idle connection keeps no buffers; a moved one may be written again.
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
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
    : context_(std::move(context)), session_(SSL_new(context_->get())), host_(host) {
    SSL* const session = session_.get();
    SSL_set_bio(session, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(session);
    boost::system::error_code is_name;
    boost::asio::ip::make_address(host, is_name);
    X509_VERIFY_PARAM* const expected = SSL_get0_param(session);
    if (is_name) {
        // RFC 6066: an address is no server name.
        SSL_set_tlsext_host_name(session, host.c_str());
        X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        X509_VERIFY_PARAM_set1_host(expected, host.c_str(), host.size());
    } else {
        X509_VERIFY_PARAM_set1_ip_asc(expected, host.c_str());
    }
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
        return true;
    }
    if (SSL_get_error(session_.get(), done) == SSL_ERROR_WANT_READ) {
        return false;
    }
    return broken("was not made, for the TLS handshake failed");
}

void TlsSession::receive(std::span<const char> bytes) {
    // A memory BIO takes everything.
    BIO_write(SSL_get_rbio(session_.get()), bytes.data(), static_cast<int>(bytes.size()));
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
    out.resize(before + waiting);
    if (waiting > 0) {
        BIO_read(output, out.data() + before, static_cast<int>(waiting));
    }
}

bool TlsSession::closed() const noexcept {
    return (SSL_get_shutdown(session_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
}

void TlsSession::say_goodbye() noexcept {
    SSL_shutdown(session_.get());
    ERR_clear_error();
}

}  // namespace ktrdr
