#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ktrdr::test {

namespace asio = boost::asio;

/// What the server does with one request.
struct Reply {
    /// Raw bytes, sent as they are.
    std::string bytes{};
    enum class Then { keep, close, reset, hold } then{Then::keep};
};

[[nodiscard]] inline std::string ok(const std::string& body, const std::string& extra = {}) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + extra + "\r\n" + body;
}

/// A server on loopback that answers with whatever bytes a test wants, on the test's own loop.
class FaultServer final : public std::enable_shared_from_this<FaultServer> {
public:
    using Handler = std::function<Reply(const std::string& request)>;

    FaultServer(asio::io_context& io, Handler handler)
        : io_(io), acceptor_(io, {asio::ip::address_v4::loopback(), 0}), handler_(std::move(handler)) {}
    [[nodiscard]] static std::shared_ptr<FaultServer> start(asio::io_context& io, Handler handler) {
        auto server = std::make_shared<FaultServer>(io, std::move(handler));
        asio::co_spawn(io, accept(server), asio::detached);
        return server;
    }

    [[nodiscard]] std::string url() const {
        return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
    }
    /// Send bytes on a connection, asked for or not.
    void say(std::size_t connection, const std::string& bytes) {
        boost::system::error_code ignored;
        asio::write(*sockets_.at(connection), asio::buffer(bytes), ignored);
    }
    void hang_up(std::size_t connection, bool reset = false) {
        boost::system::error_code ignored;
        sockets_.at(connection)->set_option(asio::socket_base::linger(reset, 0), ignored);
        sockets_.at(connection)->close(ignored);
    }
    /// Accept, but read nothing until `read_on`.
    void stop_reading() { reading_ = false; }
    void read_on() {
        reading_ = true;
        for (std::size_t index : std::exchange(unread_, {})) {
            asio::co_spawn(io_, serve(shared_from_this(), index), asio::detached);
        }
    }
    void close() {
        boost::system::error_code ignored;
        acceptor_.close(ignored);
        for (const auto& socket : sockets_) {
            socket->close(ignored);
        }
    }

    std::vector<std::string> requests{};
    /// Connections that the client has closed, by EOF or reset.
    std::size_t closed{0};
    std::size_t open_now{0};
    std::size_t most_open{0};
    [[nodiscard]] std::size_t accepted() const { return sockets_.size(); }
    Handler& handler() { return handler_; }

private:
    using Socket = asio::ip::tcp::socket;

    static asio::awaitable<void> accept(std::shared_ptr<FaultServer> self) {
        for (;;) {
            boost::system::error_code error;
            Socket socket = co_await self->acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
            if (error) {
                co_return;
            }
            self->sockets_.push_back(std::make_shared<Socket>(std::move(socket)));
            self->most_open = std::max(self->most_open, ++self->open_now);
            if (self->reading_) {
                asio::co_spawn(self->io_, serve(self, self->sockets_.size() - 1), asio::detached);
            } else {
                self->unread_.push_back(self->sockets_.size() - 1);
            }
        }
    }

    static std::size_t length_of(const std::string& head) {
        const std::size_t at = head.find("Content-Length: ");
        return at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
    }

    static asio::awaitable<void> serve(std::shared_ptr<FaultServer> self, std::size_t index) {
        const std::shared_ptr<Socket> socket = self->sockets_[index];
        std::string pending;
        for (;;) {
            std::size_t end = 0;
            for (;;) {
                end = pending.find("\r\n\r\n");
                if (end != std::string::npos && pending.size() >= end + 4 + length_of(pending.substr(0, end))) {
                    break;
                }
                std::string piece(64UL * 1024, '\0');
                boost::system::error_code error;
                const std::size_t bytes = co_await socket->async_read_some(
                    asio::buffer(piece), asio::redirect_error(asio::use_awaitable, error));
                if (error) {
                    --self->open_now;
                    self->closed += error == asio::error::operation_aborted ? 0U : 1U;
                    co_return;
                }
                pending.append(piece, 0, bytes);
            }
            const std::size_t whole = end + 4 + length_of(pending.substr(0, end));
            self->requests.push_back(pending.substr(0, whole));
            pending.erase(0, whole);
            const Reply reply = self->handler_(self->requests.back());
            boost::system::error_code error;
            co_await asio::async_write(*socket, asio::buffer(reply.bytes),
                                       asio::redirect_error(asio::use_awaitable, error));
            if (reply.then == Reply::Then::reset) {
                socket->set_option(asio::socket_base::linger(true, 0), error);
            }
            if (reply.then == Reply::Then::close || reply.then == Reply::Then::reset) {
                --self->open_now;
                socket->close(error);
                co_return;
            }
        }
    }

    asio::io_context& io_;
    asio::ip::tcp::acceptor acceptor_;
    Handler handler_;
    bool reading_{true};
    std::vector<std::size_t> unread_{};
    std::vector<std::shared_ptr<Socket>> sockets_{};
};

}  // namespace ktrdr::test
