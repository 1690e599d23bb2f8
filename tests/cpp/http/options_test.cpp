#include <ktrdr/http/options.hpp>

#include <gmock/gmock.h>

#include <functional>
#include <limits>

namespace ktrdr {
namespace {

using testing::StartsWith;
using namespace std::chrono_literals;

std::string complaint(const std::function<void(ClientOptions&)>& change) {
    ClientOptions options;
    change(options);
    const auto checked = check(options);
    return checked ? "none" : checked.error().message;
}

TEST(ClientOptionsCheck, TakesTheDefaultsAndTheEdges) {
    EXPECT_EQ(complaint([](ClientOptions&) {}), "none");
    EXPECT_EQ(complaint([](ClientOptions& options) {
                  options.pool.max_connections = 100'000;
                  options.pool.urgent_connections = 1000;
                  options.pool.server_idle_timeout = 0ms;
                  options.timeouts.total = std::chrono::hours{24 * 365};
              }),
              "none");
}

TEST(ClientOptionsCheck, NamesTheFieldOfThePoolThatIsOutOfItsRange) {
    EXPECT_THAT(complaint([](auto& it) { it.pool.max_connections = 0; }), StartsWith("max_connections is 0"));
    EXPECT_THAT(complaint([](auto& it) { it.pool.max_connections = 100'001; }), StartsWith("max_connections"));
    EXPECT_THAT(complaint([](auto& it) { it.pool.max_head_bytes = std::numeric_limits<std::uint32_t>::max(); }),
                StartsWith("max_head_bytes"));
    EXPECT_THAT(complaint([](auto& it) { it.pool.urgent_connections = 1001; }), StartsWith("urgent_connections"));
    EXPECT_THAT(complaint([](auto& it) { it.pool.idle_timeout = -1ms; }), StartsWith("idle_timeout"));
    EXPECT_THAT(complaint([](auto& it) { it.pool.server_idle_timeout = -1ms; }), StartsWith("server_idle_timeout"));
    EXPECT_THAT(complaint([](auto& it) { it.pool.server_idle_timeout = it.pool.idle_timeout; }),
                StartsWith("idle_timeout"));
    EXPECT_THAT(complaint([](auto& it) { it.pool.max_lifetime = 0ms; }), StartsWith("max_lifetime"));
    EXPECT_THAT(complaint([](auto& it) { it.pool.max_dial_backoff = it.pool.dial_backoff - 1ms; }),
                StartsWith("max_dial_backoff"));
    EXPECT_THAT(complaint([](auto& it) { it.pool.min_idle = it.pool.max_connections + 1; }), StartsWith("min_idle"));
    EXPECT_THAT(complaint([](auto& it) {
                    it.pool.min_idle = 1;
                    it.pool.idle_timeout = 0ms;
                }),
                StartsWith("min_idle"));
}

TEST(ClientOptionsCheck, NamesTheTimeThatIsOutOfItsRange) {
    EXPECT_THAT(complaint([](auto& it) { it.timeouts.connect = 0ms; }), StartsWith("timeouts.connect"));
    EXPECT_THAT(complaint([](auto& it) { it.timeouts.total = std::chrono::hours{24 * 366}; }),
                StartsWith("timeouts.total"));
}

TEST(ClientOptionsCheck, WantsBothHalvesOfACertificate) {
    EXPECT_THAT(complaint([](auto& it) { it.tls.key_file = "key.pem"; }), StartsWith("tls.certificate_file"));
    EXPECT_THAT(complaint([](auto& it) { it.tls.certificate_file = "mine.pem"; }), StartsWith("tls.key_file"));
    EXPECT_EQ(complaint([](auto& it) { it.tls.certificate_file = it.tls.key_file = "both.pem"; }), "none");
}

}  // namespace
}  // namespace ktrdr
