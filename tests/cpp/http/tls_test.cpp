#include "../../../cpp/http/src/tls.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "temporary_folder.hpp"

namespace ktrdr {
namespace {

using testing::HasSubstr;

struct Free {
    void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
    void operator()(X509* certificate) const noexcept { X509_free(certificate); }
    void operator()(X509_EXTENSION* extension) const noexcept { X509_EXTENSION_free(extension); }
    void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
    void operator()(SSL* session) const noexcept { SSL_free(session); }
};

/// A key, and a certificate for it that it has signed itself: its own authority.
class Certificate final {
public:
    /// `names`: "DNS:service.test,IP:127.0.0.1"; empty for none but the common name. It holds from yesterday for
    /// `days`.
    explicit Certificate(const std::string& names, int days = 30, EVP_PKEY* own_key = EVP_EC_gen("P-256"),
                         const char* common_name = "test")
        : key(own_key), certificate(X509_new()) {
        constexpr long day = 24L * 60 * 60;
        X509* const it = certificate.get();
        X509_set_version(it, X509_VERSION_3);
        ASN1_INTEGER_set(X509_get_serialNumber(it), 1);
        X509_gmtime_adj(X509_getm_notBefore(it), -day);
        X509_gmtime_adj(X509_getm_notAfter(it), (days - 1) * day);
        X509_set_pubkey(it, key.get());
        X509_NAME_add_entry_by_txt(X509_get_subject_name(it), "CN", MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>(common_name), -1, -1, 0);
        X509_set_issuer_name(it, X509_get_subject_name(it));
        if (!names.empty()) {
            const std::unique_ptr<X509_EXTENSION, Free> extension(
                X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str()));
            X509_add_ext(it, extension.get(), -1);
        }
        X509_sign(it, key.get(), EVP_sha256());
    }

    /// As files in PEM, for as long as this lives.
    [[nodiscard]] std::string file() const {
        return write("certificate.pem", [this](std::FILE* out) { return PEM_write_X509(out, certificate.get()); });
    }
    [[nodiscard]] std::string key_file() const {
        return write("key.pem", [this](std::FILE* out) {
            return PEM_write_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
        });
    }

    std::unique_ptr<EVP_PKEY, Free> key;
    std::unique_ptr<X509, Free> certificate;

private:
    template <class Write>
    std::string write(const char* name, Write into) const {
        const auto path = folder_.path() / name;
        std::FILE* const out = std::fopen(path.c_str(), "w");
        EXPECT_EQ(into(out), 1);
        std::fclose(out);
        return path;
    }

    test::TemporaryFolder folder_{};
};

/// The service's side.
class Peer final {
public:
    explicit Peer(const Certificate& own) : context_(SSL_CTX_new(TLS_server_method())) {
        // What a service takes for good enough is no matter of ours.
        SSL_CTX_set_security_level(context_.get(), 0);
        SSL_CTX_use_certificate(context_.get(), own.certificate.get());
        SSL_CTX_use_PrivateKey(context_.get(), own.key.get());
    }
    void speaks_at_most(int version) {
        SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
        SSL_CTX_set_max_proto_version(context_.get(), version);
        // Debian's own level forbids them altogether.
        SSL_CTX_set_security_level(context_.get(), 0);
    }
    /// Of TLS 1.2, and of no other.
    void speaks_only(const char* ciphers) {
        speaks_at_most(TLS1_2_VERSION);
        EXPECT_EQ(SSL_CTX_set_cipher_list(context_.get(), ciphers), 1);
    }
    void asks_for(const Certificate& client) {
        SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), client.certificate.get());
    }
    void begin() {
        session_.reset(SSL_new(context_.get()));
        SSL_set_bio(session_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        SSL_set_accept_state(session_.get());
    }
    void receive(const std::string& bytes) {
        BIO_write(SSL_get_rbio(session_.get()), bytes.data(), static_cast<int>(bytes.size()));
    }
    [[nodiscard]] bool handshake() { return SSL_do_handshake(session_.get()) == 1; }
    [[nodiscard]] std::string output() {
        std::string out(BIO_ctrl_pending(SSL_get_wbio(session_.get())), '\0');
        BIO_read(SSL_get_wbio(session_.get()), out.data(), static_cast<int>(out.size()));
        return out;
    }
    [[nodiscard]] std::string read() {
        std::string all;
        std::array<char, 4096> piece{};
        for (int got = 1; got > 0;) {
            got = SSL_read(session_.get(), piece.data(), piece.size());
            all.append(piece.data(), static_cast<std::size_t>(std::max(got, 0)));
        }
        return all;
    }
    void write(const std::string& bytes) {
        EXPECT_EQ(SSL_write(session_.get(), bytes.data(), static_cast<int>(bytes.size())),
                  static_cast<int>(bytes.size()));
    }
    void say_goodbye() { SSL_shutdown(session_.get()); }
    [[nodiscard]] std::string asked_name() const {
        const char* const name = SSL_get_servername(session_.get(), TLSEXT_NAMETYPE_host_name);
        return name != nullptr ? name : "";
    }

private:
    std::unique_ptr<SSL_CTX, Free> context_;
    std::unique_ptr<SSL, Free> session_{};
};

class Tls : public testing::Test {
protected:
    /// Hand bytes to and fro, `at_once` at a time, until both sides are done or the client gives up.
    Result<bool> shake_hands(const std::string& host, std::size_t at_once = 64UL * 1024) {
        client.emplace(TlsSession::create(TlsContext::create(options).value(), host).value());
        peer.begin();
        to_client.clear();
        for (int i = 0; i < 10'000; ++i) {
            const auto done = client->handshake();
            std::string out;
            client->take_output(out);
            peer.receive(out);
            const bool peer_done = peer.handshake();
            to_client += peer.output();
            if (!done || (*done && peer_done)) {
                return done;
            }
            const std::size_t some = std::min(at_once, to_client.size());
            EXPECT_TRUE(client->receive({to_client.data(), some}));
            to_client.erase(0, some);
        }
        return false;
    }
    /// What is still on its way to the client arrives.
    void arrive() {
        to_client += peer.output();
        EXPECT_TRUE(client->receive(std::exchange(to_client, {})));
    }
    Result<std::string> read() {
        std::string all;
        std::array<char, 4096> piece{};
        for (;;) {
            const auto got = client->read(piece);
            if (!got) {
                return got.error();
            }
            if (*got == 0) {
                return all;
            }
            all.append(piece.data(), *got);
        }
    }
    Error refusal(const std::string& host) {
        const auto done = shake_hands(host);
        EXPECT_TRUE(done.has_error()) << host;
        return done ? Error{} : done.error();
    }

    Certificate own{"DNS:service.test,DNS:*.wild.test,DNS:part*.near.test,IP:127.0.0.1,IP:::1"};
    TlsOptions options{.ca_file = own.file()};
    Peer peer{own};
    std::optional<TlsSession> client{};
    std::string to_client{};
};

TEST_F(Tls, CarriesBytesBothWaysHoweverTheyArrive) {
    const std::string much(300'000, 'x');
    const std::string secret = "for two pairs of eyes";
    for (const std::size_t at_once : {std::size_t{1}, std::size_t{7}, std::size_t{64} * 1024}) {
        ASSERT_EQ(shake_hands("service.test", at_once).value(), true);
        EXPECT_EQ(peer.asked_name(), "service.test");
        ASSERT_TRUE(client->write(secret));
        ASSERT_TRUE(client->write(much));
        std::string out;
        client->take_output(out);
        EXPECT_EQ(out.find(secret), std::string::npos);
        peer.receive(out);
        EXPECT_EQ(peer.read(), secret + much);
        peer.write(much);
        arrive();
        EXPECT_EQ(read().value(), much);
        EXPECT_EQ(read().value(), "") << "no more yet";
        EXPECT_FALSE(client->closed());
    }
}

TEST_F(Tls, TrustsTheNamesAndAddressesOfTheCertificateAlone) {
    for (const char* const host : {"service.test", "SERVICE.test", "a.wild.test", "127.0.0.1", "::1"}) {
        EXPECT_EQ(shake_hands(host).value(), true) << host;
    }
    EXPECT_EQ(peer.asked_name(), "") << "an address is no server name";
    for (const char* const host : {"other.test", "test", "service.test.evil", "a.b.wild.test", "wild.test",
                                   "partly.near.test", "127.0.0.2", "::2"}) {
        const Error error = refusal(host);
        EXPECT_EQ(error.code, Errc::service_connection);
        EXPECT_THAT(error.message, HasSubstr(std::string("the certificate of ") + host + " was refused"));
        EXPECT_THAT(error.message, HasSubstr("mismatch"));
    }
}

TEST_F(Tls, AsksForTheAddressWithoutItsZone) {
    const Certificate near("IP:fe80::1,IP:::1");
    options.ca_file = near.file();
    peer = Peer(near);
    for (const char* const host : {"fe80::1%eth0", "fe80::1%25eth0", "::1%lo", "fe80:0::1%2"}) {
        EXPECT_EQ(shake_hands(host).value(), true) << host;
        EXPECT_EQ(peer.asked_name(), "") << host;
    }
    for (const char* const host : {"fe80::2%eth0", "::2%lo", "fe80::1:1%1"}) {
        EXPECT_THAT(refusal(host).message, HasSubstr("mismatch")) << host;
    }
}

TEST_F(Tls, ADotAtTheEndOfANameIsNoPartOfIt) {
    EXPECT_EQ(shake_hands("service.test.").value(), true);
    EXPECT_EQ(peer.asked_name(), "service.test");
    EXPECT_THAT(refusal("other.test.").message, HasSubstr("mismatch"));
}

TEST_F(Tls, MakesNoSessionForAHostThatCannotBeAskedFor) {
    const auto context = TlsContext::create(options).value();
    for (const std::string& host :
         {std::string(), std::string("."), std::string("a\0b", 3), std::string(70'000, 'a')}) {
        const auto made = TlsSession::create(context, host);
        ASSERT_TRUE(made.has_error()) << host.substr(0, 10);
        EXPECT_EQ(made.error().code, Errc::service_connection);
        EXPECT_TRUE(made.error().context.contains("tls")) << "it is not tried again";
    }
}

TEST_F(Tls, ACommonNameIsNobodysIdentity) {
    const Certificate old("", 30, EVP_EC_gen("P-256"), "service.test");
    options.ca_file = old.file();
    peer = Peer(old);
    EXPECT_THAT(refusal("service.test").message, HasSubstr("mismatch"));
}

TEST_F(Tls, SpeaksNothingThatTheServicesKeyOpensLater) {
    const Certificate rsa("DNS:service.test", 30, EVP_RSA_gen(2048));
    options.ca_file = rsa.file();
    for (const char* const ciphers : {"AES128-GCM-SHA256", "AES256-SHA256", "AES128-SHA"}) {
        peer = Peer(rsa);
        peer.speaks_only(ciphers);
        EXPECT_THAT(refusal("service.test").message, HasSubstr("the TLS handshake failed")) << ciphers;
    }
    peer = Peer(rsa);
    peer.speaks_only("ECDHE-RSA-AES128-GCM-SHA256");
    EXPECT_EQ(shake_hands("service.test").value(), true);
}

TEST_F(Tls, TrustsNoKeyThatIsTooShort) {
    const Certificate weak("DNS:service.test", 30, EVP_RSA_gen(1024));
    options.ca_file = weak.file();
    peer = Peer(weak);
    peer.speaks_at_most(TLS1_2_VERSION);
    EXPECT_EQ(refusal("service.test").code, Errc::service_connection);
}

TEST_F(Tls, TrustsNobodyWhomTheAuthorityDoesNotVouchFor) {
    const Certificate another("DNS:service.test");
    options.ca_file = another.file();
    const Error error = refusal("service.test");
    EXPECT_THAT(error.message, HasSubstr("give the authority that signed it as tls.ca_file"));
    EXPECT_TRUE(error.context.contains("tls"));
    options.verify = false;
    EXPECT_EQ(shake_hands("service.test").value(), true) << "it was asked to trust everybody";
}

TEST_F(Tls, TrustsNoCertificateThatHasRunOut) {
    const Certificate old("DNS:service.test", 0);
    options.ca_file = old.file();
    peer = Peer(old);
    EXPECT_THAT(refusal("service.test").message, HasSubstr("expired"));
}

TEST_F(Tls, SpeaksNothingOlderThanTheSecondEdition) {
    peer.speaks_at_most(TLS1_1_VERSION);
    EXPECT_THAT(refusal("service.test").message, HasSubstr("the TLS handshake failed"));
    peer.speaks_at_most(TLS1_2_VERSION);
    EXPECT_EQ(shake_hands("service.test").value(), true);
}

TEST_F(Tls, ShowsACertificateOfItsOwnWhereTheServiceAsks) {
    const Certificate mine("DNS:client.test");
    peer.asks_for(mine);
    options.certificate_file = mine.file();
    options.key_file = mine.key_file();
    ASSERT_EQ(shake_hands("service.test").value(), true);
    peer.write("welcome");
    arrive();
    EXPECT_EQ(read().value(), "welcome");
}

TEST_F(Tls, KnowsAGoodbyeFromSilence) {
    ASSERT_EQ(shake_hands("service.test").value(), true);
    peer.write("last");
    arrive();
    EXPECT_EQ(read().value(), "last");
    EXPECT_FALSE(client->closed());
    peer.say_goodbye();
    arrive();
    EXPECT_EQ(read().value(), "");
    EXPECT_TRUE(client->closed());
}

TEST_F(Tls, NoticesEveryByteThatWasChangedOnTheWay) {
    ASSERT_EQ(shake_hands("service.test").value(), true);
    peer.write("pay 10");
    arrive();
    ASSERT_EQ(read().value(), "pay 10");
    peer.write("pay 10");
    const std::string record = peer.output();
    for (std::size_t at = 0; at < record.size(); ++at) {
        // A session is over with its first error; each byte has one of its own.
        ASSERT_EQ(shake_hands("service.test").value(), true);
        peer.write("pay 10");
        arrive();
        ASSERT_EQ(read().value(), "pay 10");
        peer.write("pay 10");
        std::string changed = peer.output();
        changed.at(at) = static_cast<char>(changed[at] ^ 1);
        ASSERT_TRUE(client->receive(changed));
        const auto got = read();
        // A length that was made larger is waited for.
        EXPECT_TRUE(got.has_error() || got->empty()) << "byte " << at;
        EXPECT_TRUE(got.has_error() || at == 3 || at == 4) << "byte " << at;
    }
}

TEST(TlsFiles, AreRefusedWhereTheyAreNotWhatTheyShouldBe) {
    const Certificate one("DNS:a.test");
    const Certificate other("DNS:b.test");
    const auto refused = [](const TlsOptions& options) {
        const auto made = TlsContext::create(options);
        EXPECT_TRUE(made.has_error() && made.error().code == Errc::configuration);
        return made.has_error() ? made.error().message : "accepted";
    };
    EXPECT_THAT(refused({.ca_file = "/nowhere.pem"}), HasSubstr("tls.ca_file is '/nowhere.pem'"));
    EXPECT_THAT(refused({.ca_file = one.key_file()}), HasSubstr("tls.ca_file"));
    EXPECT_THAT(refused({.certificate_file = one.key_file(), .key_file = one.key_file()}),
                HasSubstr("tls.certificate_file"));
    EXPECT_THAT(refused({.certificate_file = one.file(), .key_file = other.key_file()}), HasSubstr("tls.key_file"));
}

}  // namespace
}  // namespace ktrdr
