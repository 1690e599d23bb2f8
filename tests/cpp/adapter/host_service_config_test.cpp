#include <ktrdr/adapter/host_service_config.hpp>

#include <gmock/gmock.h>

namespace ktrdr {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

Env env(std::map<std::string, std::string> values) {
    return Env(std::move(values));
}

std::string complaint(const HostServiceConfig& config) {
    const auto checked = check(config);
    return checked ? "none" : checked.error().message;
}

std::string complaint(const std::string& name, const std::string& value) {
    const auto read = read_host_service_config({}, "IB", env({{"IB_HOST_SERVICE_" + name, value}}));
    return read ? "none" : read.error().message;
}

TEST(HostServiceConfigCheck, TakesTheDefaults) {
    EXPECT_TRUE(check(HostServiceConfig{}));
    EXPECT_TRUE(check(HostServiceConfig{.max_retries = 0, .max_connections = 1, .idle_timeout = 0ms}));
}

TEST(HostServiceConfigCheck, NamesTheFieldThatIsOutOfItsRange) {
    EXPECT_THAT(complaint(HostServiceConfig{.timeout = 0ms}), HasSubstr("timeout"));
    for (const int retries : {-1, 100}) {
        EXPECT_THAT(complaint(HostServiceConfig{.max_retries = retries}), HasSubstr("max_retries"));
    }
    for (const std::size_t limit : {std::size_t{0}, std::size_t{100'001}}) {
        EXPECT_THAT(complaint(HostServiceConfig{.max_connections = limit}), HasSubstr("max_connections"));
    }
    EXPECT_THAT(complaint(HostServiceConfig{.idle_timeout = -1ms}), HasSubstr("idle_timeout"));
    EXPECT_THAT(complaint(HostServiceConfig{.tls = {.certificate_file = "mine.pem"}}), HasSubstr("tls.key_file"));
}

TEST(HostServiceConfigOfTheEnvironment, IsWhatTheVariablesSayAndElseTheDefaults) {
    const HostServiceConfig defaults{.timeout = 9s, .max_retries = 8, .max_connections = 7, .idle_timeout = 6s};
    const auto same = read_host_service_config(defaults, "IB", Env());
    EXPECT_EQ(same->timeout, 9s);
    EXPECT_EQ(same->max_connections, 7U);
    const auto read = read_host_service_config(defaults, "IB",
                                               env({{"IB_HOST_SERVICE_TIMEOUT", "2.5"},
                                                    {"IB_HOST_SERVICE_MAX_RETRIES", "0"},
                                                    {"IB_HOST_SERVICE_POOL_LIMIT", "3"},
                                                    {"IB_HOST_SERVICE_KEEPALIVE", "1"}}));
    EXPECT_EQ(read->timeout, 2500ms);
    EXPECT_EQ(read->max_retries, 0);
    EXPECT_EQ(read->max_connections, 3U);
    EXPECT_EQ(read->idle_timeout, 1s);
}

TEST(HostServiceConfigOfTheEnvironment, NamesTheVariableThatCannotBeRead) {
    EXPECT_THAT(complaint("TIMEOUT", "soon"), HasSubstr("IB_HOST_SERVICE_TIMEOUT"));
    EXPECT_THAT(complaint("KEEPALIVE", "long"), HasSubstr("IB_HOST_SERVICE_KEEPALIVE"));
    EXPECT_THAT(complaint("MAX_RETRIES", "100"), HasSubstr("IB_HOST_SERVICE_MAX_RETRIES"));
    EXPECT_THAT(complaint("POOL_LIMIT", "0"), HasSubstr("IB_HOST_SERVICE_POOL_LIMIT"));
    EXPECT_FALSE(read_host_service_config({.max_retries = -1}, "IB", Env())) << "bad defaults";
}

TEST(HostServiceConfig, BecomesAClientWhoseWaitsAreNoLongerThanTheCall) {
    const auto options = to_client_options({.base_url = "http://h", .timeout = 5s, .max_retries = 2});
    EXPECT_EQ(options.timeouts.total, 5s);
    EXPECT_EQ(options.timeouts.first_byte, 5s);
    EXPECT_EQ(options.retry.attempts, 3);
}

}  // namespace
}  // namespace ktrdr
