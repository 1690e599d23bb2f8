#include <ktrdr/adapter/host_service.hpp>

#include <gmock/gmock.h>

#include <ktrdr/base/manual.hpp>

namespace ktrdr {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

class HostServiceTest : public testing::Test {
protected:
    Result<std::shared_ptr<AsyncServiceAdapter>> open(std::map<std::string, std::string> env,
                                                      const HostServiceArguments& arguments = {}) {
        HostService service;
        service.names = {"Quotes", "http://localhost:5009", "QUOTES"};
        service.identity = {.name = "quotes", .type = "data"};
        service.defaults.timeout = 7s;
        return open_host_service({sockets_, {io_, io_}}, std::move(service), Env(std::move(env)), arguments);
    }

    boost::asio::io_context sockets_;
    ManualExecutor io_;
};

TEST_F(HostServiceTest, IsNoneWhereTheWorkIsDoneHere) {
    EXPECT_EQ(open({}).value(), nullptr);
    EXPECT_EQ(open({{"USE_QUOTES_HOST_SERVICE", "true"}}, {.use_host_service = false}).value(), nullptr);
}

TEST_F(HostServiceTest, TakesArgumentsBeforeTheEnvironmentBeforeItsDefaults) {
    const std::map<std::string, std::string> env{{"USE_QUOTES_HOST_SERVICE", "true"},
                                                 {"QUOTES_HOST_SERVICE_POOL_LIMIT", "4"},
                                                 {"QUOTES_HOST_SERVICE_MAX_RETRIES", "0"}};
    const auto chosen = open(env).value();
    EXPECT_EQ(chosen->get_service_name(), "quotes");
    EXPECT_EQ(chosen->config().base_url, "http://localhost:5009");
    EXPECT_EQ(chosen->config().timeout, 7s);
    EXPECT_EQ(chosen->config().max_retries, 0);
    EXPECT_EQ(chosen->config().max_connections, 4U);
    EXPECT_EQ(chosen->max_connections(), 4U);
    const auto told = open(env, {.url = "http://127.0.0.1:9", .max_connections = 2}).value();
    EXPECT_EQ(told->config().base_url, "http://127.0.0.1:9");
    EXPECT_EQ(told->config().max_connections, 2U);
}

TEST_F(HostServiceTest, RefusesASettingThatCannotBe) {
    EXPECT_THAT(open({{"USE_QUOTES_HOST_SERVICE", "maybe"}}).error().message, HasSubstr("USE_QUOTES_HOST_SERVICE"));
    EXPECT_EQ(open({}, {.url = "http://127.0.0.1:9", .max_connections = 0}).error().code, Errc::configuration);
    EXPECT_EQ(make_service_adapter({sockets_, {io_, io_}}, {}, {}).error().context.at("field"), "base_url");
}

TEST_F(HostServiceTest, EndsOnTheIoThreadWhoeverLetsGoLast) {
    auto adapter = open({}, {.url = "http://127.0.0.1:9"}).value();
    adapter.reset();
    EXPECT_GT(io_.run(), 0U);
}

}  // namespace
}  // namespace ktrdr
