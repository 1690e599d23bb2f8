#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "client_fixture.hpp"

namespace ktrdr::test {

/// A client of the fixture's server, and what came of its requests.
class Client : public ClientFixture {
protected:
    void make_client(PoolOptions options = {}, Timeouts timeouts = {}) {
        make_client(server->url(), options, timeouts);
    }
    void make_client(const std::string& url, PoolOptions options = {}, Timeouts timeouts = {}) {
        client = HttpClient::create(io, {url, options, timeouts, retry}).value();
    }
    Pending<Response> get(const std::string& target = "/", const CancellationToken& token = {}) {
        Request request;
        request.url = target;
        return send(std::move(request), token);
    }
    Pending<Response> post(const std::string& body, const CancellationToken& token = {}) {
        Request request;
        request.method = "POST";
        request.body = body;
        return send(std::move(request), token);
    }
    Pending<Response> send(Request request, const CancellationToken& token = {}) {
        return {io, client->send(std::move(request), token)};
    }
    Pending<Response> finished(Pending<Response> pending) {
        run_until([&] { return pending.done(); });
        return pending;
    }
    Error failure_of(const Pending<Response>& pending) {
        run_until([&] { return pending.done(); });
        EXPECT_TRUE(pending.result().has_error());
        return pending.result().has_error() ? pending.error() : Error{};
    }
    std::string body_of(const Pending<Response>& pending) {
        run_until([&] { return pending.done(); });
        return pending.result() ? pending.result()->body : pending.error().message;
    }
    static std::string text(const Error& error, const char* key) {
        const auto* const found = error.context.if_contains(key);
        return found != nullptr && found->is_string() ? std::string(found->get_string()) : "";
    }
    void TearDown() override {
        if (client) {
            client->close();
        }
        ClientFixture::TearDown();
        client.reset();
        settle();
    }

    /// Tests of retries set what they need.
    RetryPolicy retry{.attempts = 1};
    std::shared_ptr<HttpClient> client;
};

/// An address nobody listens at: bound, so that no one else gets it, and never listening.
class DeadPort {
public:
    explicit DeadPort(asio::io_context& io)
        : socket_(io, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {}
    [[nodiscard]] std::string url() const {
        return "http://127.0.0.1:" + std::to_string(socket_.local_endpoint().port());
    }

private:
    asio::ip::tcp::socket socket_;
};

}  // namespace ktrdr::test
