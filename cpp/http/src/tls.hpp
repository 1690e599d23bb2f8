#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include <ktrdr/base/result.hpp>
#include <ktrdr/http/options.hpp>

namespace ktrdr {

/// What all connections of one configuration share: the certificates that are trusted, the client's own.
///
/// Thread safety: the io thread only.
class TlsContext final {
public:
    /// `configuration` for a file that cannot be read or does not hold what it should, naming it.
    [[nodiscard]] static Result<std::shared_ptr<TlsContext>> create(const TlsOptions& options);

    [[nodiscard]] SSL_CTX* get() const noexcept { return context_.get(); }
    [[nodiscard]] bool verifies() const noexcept { return verifies_; }

private:
    struct Free {
        void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
    };
    TlsContext(SSL_CTX* context, bool verifies) : context_(context), verifies_(verifies) {}

    std::unique_ptr<SSL_CTX, Free> context_;
    bool verifies_;
};

/// TLS over bytes, without a socket in sight: what came from the peer goes into `receive`, what is to be sent comes out
/// of `take_output`.
///
/// Errors: `service_connection`, in words that follow "the connection …"; after one the session is of no more use.
/// Thread safety: none; its connection's thread guards it.
class TlsSession final {
public:
    /// For a connection to `host`, a name or an address: the certificate must be its. No session is made where that
    /// cannot be asked for.
    [[nodiscard]] static Result<TlsSession> create(std::shared_ptr<TlsContext> context, const std::string& host);

    /// Go on with the handshake; true once it is done. Ask again after `receive`.
    [[nodiscard]] Result<bool> handshake();
    [[nodiscard]] Result<void> receive(std::span<const char> bytes);
    /// Plain bytes that have come, 0 when there are none yet or will be none any more (see `closed`).
    [[nodiscard]] Result<std::size_t> read(std::span<char> into);
    /// Encrypt all of it.
    [[nodiscard]] Result<void> write(std::span<const char> bytes);
    /// Append what is to be sent.
    void take_output(std::string& out);
    /// The peer has said that nothing more comes.
    [[nodiscard]] bool closed() const noexcept;
    /// Say so to the peer; true where there is something to be sent.
    [[nodiscard]] bool say_goodbye() noexcept;

private:
    struct Free {
        void operator()(SSL* session) const noexcept { SSL_free(session); }
    };
    TlsSession(std::shared_ptr<TlsContext> context, const std::string& host);
    /// False where one of the calls failed.
    [[nodiscard]] bool prepare();
    [[nodiscard]] bool expect_peer();
    /// The peer has shown a certificate, and it was found to be the host's.
    [[nodiscard]] bool knows_peer() const noexcept;
    [[nodiscard]] Error broken(std::string_view what) const;

    std::shared_ptr<TlsContext> context_;
    std::unique_ptr<SSL, Free> session_;
    std::string host_;
};

}  // namespace ktrdr
