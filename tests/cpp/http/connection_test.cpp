#include "../../../cpp/http/src/connection.hpp"

#include <gtest/gtest.h>

#include <sys/socket.h>

#include <boost/asio/ip/tcp.hpp>

namespace ktrdr {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

/// Takes down how a dial ended.
class Dialer : public testing::Test, private Connection::Owner {
protected:
    /// Dial a name that has these addresses.
    void dial(std::vector<tcp::endpoint> endpoints) {
        addresses = {std::move(endpoints), std::chrono::steady_clock::now() + std::chrono::hours{1}};
        const auto connection =
            std::make_shared<Connection>(io, static_cast<Connection::Owner&>(*this),
                                         Connection::Settings{origin, options, timeouts, addresses, tls, nullptr});
        connection->dial();
        while (!open && !failed && io.run_one_for(std::chrono::seconds{20}) > 0) {
        }
        connection->close();
        io.poll();
    }
    /// An address where nobody listens.
    tcp::endpoint closed_endpoint() {
        const tcp::acceptor listener(io, {asio::ip::address_v4::loopback(), 0});
        return listener.local_endpoint();
    }

    asio::io_context io{1};
    Origin origin{.host = "service.test", .port = "80", .host_header = "service.test", .url = "http://service.test:80"};
    PoolOptions options{};
    Timeouts timeouts{};
    AddressCache addresses{};
    std::shared_ptr<TlsContext> tls{};
    bool open{false};
    std::optional<Error> failed{};

private:
    void dial_ended(Connection&) override { open = true; }
    void dial_failed(Connection&, Error error) override { failed = std::move(error); }
    void idle_lost(Connection&, Connection::Look) override {}
    void head_arrived(Exchange&) override {}
    void piece_arrived(Exchange&) override {}
    void exchange_ended(Connection&, Exchange&, Result<void>, bool) override {}
};

TEST_F(Dialer, TriesEveryAddressInTurn) {
    tcp::acceptor listener(io, {asio::ip::address_v4::loopback(), 0});
    dial({closed_endpoint(), closed_endpoint(), listener.local_endpoint()});
    EXPECT_TRUE(open);
    EXPECT_FALSE(failed);
}

TEST_F(Dialer, FailsWithTheLastAddressAndForgetsThemAll) {
    dial({closed_endpoint(), closed_endpoint()});
    EXPECT_FALSE(open);
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->code, Errc::service_connection);
    EXPECT_EQ(failed->context.at("phase"), "connect");
    EXPECT_LT(addresses.until, std::chrono::steady_clock::now()) << "the name is looked up again";
}

TEST_F(Dialer, GoesOnWhereAnAddressDoesNotAnswer) {
    timeouts.connect = std::chrono::milliseconds{50};
    // A queue of no length that is full: the kernel drops what comes next.
    tcp::acceptor full(io, tcp::v4());
    full.bind({asio::ip::address_v4::loopback(), 0});
    full.listen(0);
    std::vector<tcp::socket> waiting;
    const tcp::endpoint endpoint = full.local_endpoint();
    for (int i = 0; i < 2; ++i) {
        waiting.emplace_back(io).open(tcp::v4());
        waiting.back().native_non_blocking(true);
        // Not by Asio, which would wait for it.
        (void)::connect(waiting.back().native_handle(), endpoint.data(), static_cast<socklen_t>(endpoint.size()));
    }
    tcp::acceptor listener(io, {asio::ip::address_v4::loopback(), 0});
    dial({endpoint, listener.local_endpoint()});
    EXPECT_TRUE(open);
}

}  // namespace
}  // namespace ktrdr
