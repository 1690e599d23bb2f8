#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include <data/manager_fixture.hpp>
#include <ktrdr/runtime/open_data_manager.hpp>

namespace ktrdr {
namespace {

using testing::HasSubstr;

class OpenDataManagerTest : public ManagerFixture {
protected:
    Result<std::shared_ptr<DataManager>> open(const DataManagerOptions& options, Env env = {}) {
        return open_data_manager(services(), options, std::move(env));
    }
    [[nodiscard]] DataManagerOptions options(HostServiceArguments host_service = {}) const {
        return {.data_dir = folder_.path() / "data", .host_service = std::move(host_service)};
    }
    static Env env(std::map<std::string, std::string> variables) { return Env(std::move(variables)); }
};

TEST_F(OpenDataManagerTest, MakesTheFileAndAsksNobodyByDefault) {
    const auto manager = open(options()).value();
    EXPECT_EQ(manager->database_path(), folder_.path() / "data" / "ktrdr.db");
    EXPECT_TRUE(std::filesystem::exists(manager->database_path()));
    EXPECT_EQ(manager->service(), nullptr);
    EXPECT_EQ(manager->pool_stats().open, 0U);
}

TEST_F(OpenDataManagerTest, NamesAVariableThatCannotBeReadAndMakesNothing) {
    const auto manager = open(options(), env({{"USE_IB_HOST_SERVICE", "maybe"}}));
    ASSERT_FALSE(manager);
    EXPECT_EQ(manager.error().code, Errc::configuration);
    EXPECT_THAT(manager.error().message, HasSubstr("USE_IB_HOST_SERVICE"));
    EXPECT_EQ(open(options({.url = "ftp://x"})).error().code, Errc::configuration);
    EXPECT_EQ(open({}).error().code, Errc::configuration);
    EXPECT_FALSE(std::filesystem::exists(folder_.path() / "data"));
}

TEST_F(OpenDataManagerTest, NamesAFileInThePlaceOfItsFolder) {
    std::ofstream(folder_.path() / "data") << "mine";
    const auto manager = open(options());
    ASSERT_FALSE(manager);
    EXPECT_EQ(manager.error().code, Errc::storage);
}

TEST_F(OpenDataManagerTest, ReachesTheServiceByArgumentsBeforeTheEnvironment) {
    const Env said = env({{"USE_IB_HOST_SERVICE", "true"}, {"IB_HOST_SERVICE_POOL_LIMIT", "7"}});
    const HostServiceConfig by_env = open(options(), said).value()->service()->config();
    EXPECT_EQ(by_env.base_url, "http://localhost:5001");
    EXPECT_EQ(by_env.max_connections, 7U);
    EXPECT_EQ(by_env.timeout, std::chrono::minutes{1});
    const HostServiceConfig by_hand =
        open(options({.url = "http://127.0.0.1:9", .max_connections = 2}), said).value()->service()->config();
    EXPECT_EQ(by_hand.base_url, "http://127.0.0.1:9");
    EXPECT_EQ(by_hand.max_connections, 2U);
    io_.poll();
}

TEST_F(OpenDataManagerTest, TakesASourceInPlaceOfAService) {
    DataManagerOptions chosen = options();
    chosen.source = std::make_shared<FakeSource>();
    EXPECT_EQ(open(chosen, env({{"USE_IB_HOST_SERVICE", "true"}})).value()->service(), nullptr);
    chosen.host_service.url = "http://127.0.0.1:9";
    const auto both = open(chosen);
    ASSERT_FALSE(both);
    EXPECT_EQ(both.error().code, Errc::invalid_argument);
}

TEST_F(OpenDataManagerTest, ChecksALoadWithoutMakingAnything) {
    const LoadRequest full{
        .symbol = "AAPL", .timeframe = "1d", .start_date = "2020-01-01", .end_date = "2020-01-31", .mode = "full"};
    const auto refused = [this](LoadRequest request, const DataManagerOptions& chosen, const Env& said = {}) {
        const auto checked = check_load(request, chosen, said, clock_);
        return checked ? std::string("nothing") : std::string(to_string(checked.error().code));
    };
    const DataManagerOptions there = options({.url = "http://127.0.0.1:9"});
    EXPECT_EQ(refused(full, there), "nothing");
    EXPECT_EQ(refused(full, options(), env({{"IB_HOST_SERVICE_URL", "http://127.0.0.1:9"}})), "nothing");
    EXPECT_EQ(refused(full, options()), "configuration");
    EXPECT_EQ(refused(full, options({.url = "ftp://x"})), "configuration");
    EXPECT_EQ(refused(full, options(), env({{"USE_IB_HOST_SERVICE", "maybe"}})), "configuration");
    DataManagerOptions scripted = options();
    scripted.source = std::make_shared<FakeSource>();
    EXPECT_EQ(refused(full, scripted), "nothing");
    LoadRequest wrong = full;
    wrong.timeframe = "7d";
    EXPECT_EQ(refused(wrong, there), "invalid_argument");
    wrong = full;
    wrong.end_date.reset();
    EXPECT_EQ(refused(wrong, there), "nothing");
    wrong.end_date = "2019-12-31";
    EXPECT_EQ(refused(wrong, there), "invalid_argument");
    wrong.end_date.reset();
    wrong.mode = "local";
    EXPECT_EQ(refused(wrong, options()), "nothing");
    EXPECT_FALSE(std::filesystem::exists(folder_.path() / "data"));
}

TEST_F(OpenDataManagerTest, CancelsAFullLoadBeforeItAsksTheService) {
    const auto manager = open(options({.url = "http://127.0.0.1:9"})).value();
    const auto token = CancellationToken::create(io_executor_, timers_, clock_);
    const LoadRequest full{
        .symbol = "AAPL", .timeframe = "1d", .start_date = "2020-01-01", .end_date = "2020-01-31", .mode = "full"};
    const auto operation = manager->load_data(full, token).value();
    token.cancel({.text = "enough"});
    finish();
    EXPECT_EQ(operation->status(), OperationStatus::cancelled);
    EXPECT_EQ(manager->pool_stats().connections_created, 0U);
}

}  // namespace
}  // namespace ktrdr
