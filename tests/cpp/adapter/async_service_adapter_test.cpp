#include <ktrdr/adapter/async_service_adapter.hpp>

#include <gmock/gmock.h>

#include <boost/json/parse.hpp>

#include <ktrdr/adapter/host_service_config.hpp>

#include "http/client_fixture.hpp"

namespace ktrdr::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

/// One coroutine that ends in a plain value, as a `Result`.
template <class T>
asio::awaitable<Result<T>> as_result(asio::awaitable<T> work) {
    auto value = co_await std::move(work);
    co_return std::move(value);
}

class Adapter : public ClientFixture {
protected:
    void start(FaultServer::Handler handler, std::size_t connections = 3) {
        HostServiceConfig config;
        config.base_url = serve(std::move(handler))->url();
        config.max_connections = connections;
        client = HttpClient::create(io, to_client_options(config)).value();
        adapter.emplace(ServiceIdentity{.name = "quotes", .type = "data", .start_hint = "start one"}, client,
                        ServiceThreads{executor, compute});
    }
    void TearDown() override {
        adapter.reset();
        client->close();
        client.reset();
        ClientFixture::TearDown();
    }
    [[nodiscard]] CallOptions options() {
        CallOptions options;
        options.cancellation_token = make_token();
        return options;
    }
    template <class T>
    Result<T> run(asio::awaitable<Result<T>> work) {
        const Pending<T> pending(io, std::move(work));
        run_until([&] { return pending.done(); });
        return pending.result();
    }

    /// Until the first answer is there, and with whoever reads it.
    void answered_once() {
        run_until([this] { return server->requests.size() == 1 && client->stats().idle == 1; });
        settle();
    }

    ManualExecutor compute;
    std::shared_ptr<HttpClient> client;
    std::optional<AsyncServiceAdapter> adapter;
};

TEST_F(Adapter, DecodesWhatTheServiceAnswers) {
    start([](const std::string& request) {
        EXPECT_THAT(request, HasSubstr("Accept: application/json\r\n"));
        EXPECT_THAT(request, HasSubstr("X-Deadline-Ms: "));
        EXPECT_THAT(request, Not(HasSubstr("X-Operation-Id")));
        return Reply{ok(R"({"a": [1, 2]})")};
    });
    EXPECT_EQ(run(adapter->call_get("/x", options())).value(), boost::json::parse(R"({"a": [1, 2]})"));
}

/// `[0,0,…]`, too long to be decoded among the sockets.
std::string large_array() {
    std::string text = "[0";
    while (text.size() < 100'000) {
        text += ",0";
    }
    return text + "]";
}

TEST_F(Adapter, ALargeAnswerIsDecodedElsewhereWhileOtherCallsGoOn) {
    start(
        [](const std::string& request) { return Reply{ok(request.starts_with("GET /large ") ? large_array() : "1")}; });
    const Pending<boost::json::value> large(io, adapter->call_get("/large", options()));
    answered_once();
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(run(adapter->call_get("/small", options())).value(), 1);
    }
    EXPECT_FALSE(large.done());
    EXPECT_EQ(compute.run(), 1U);
    EXPECT_FALSE(large.done()) << "its caller goes on where it was, on the io thread";
    run_until([&] { return large.done(); });
    EXPECT_EQ(large.result()->as_array().size(), 50'000U);
}

TEST_F(Adapter, ALargeAnswerThatCannotBeReadNamesWhatEverySmallOneDoes) {
    start([](const std::string& request) {
        return request.starts_with("GET /cut ")
                   ? Reply{ok(large_array() + "]")}
                   : Reply{"HTTP/1.1 500 No\r\nContent-Length: 100000\r\n\r\n" + std::string(100'000, 'x')};
    });
    for (const auto& [endpoint, code] : {std::pair{"/cut", Errc::protocol}, std::pair{"/bad", Errc::status}}) {
        CallOptions mine = options();
        mine.operation_id = "op_7";
        const Pending<boost::json::value> pending(io, adapter->call_get(endpoint, mine));
        run_until([&] { return compute.run() > 0; });
        run_until([&] { return pending.done(); });
        EXPECT_EQ(pending.error().code, code);
        EXPECT_EQ(pending.error().context.at("service"), "quotes");
        EXPECT_EQ(pending.error().context.at("operation_id"), "op_7");
        EXPECT_EQ(std::string(pending.error().context.at("url").as_string()), server->url() + endpoint);
    }
}

TEST_F(Adapter, ACancelDoesNotWaitForALargeAnswerToBeDecoded) {
    start([](const std::string&) { return Reply{ok(large_array())}; });
    CallOptions mine = options();
    const Pending<boost::json::value> pending(io, adapter->call_get("/large", mine));
    answered_once();
    mine.cancellation_token.cancel({CancelCode::user, "enough", "test"});
    run_until([&] { return pending.done(); });
    EXPECT_EQ(pending.error().code, Errc::cancelled);
    EXPECT_THAT(pending.error().message, HasSubstr("decoding what quotes answered to GET /large"));
    adapter.reset();
    EXPECT_EQ(compute.run(), 1U) << "of no use to anybody, and to no harm";
}

TEST_F(Adapter, TheOperationIsNamedInHeadersAndErrors) {
    start([](const std::string& request) {
        EXPECT_THAT(request, HasSubstr("X-Operation-Id: op_7\r\n"));
        return Reply{"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"};
    });
    CallOptions mine = options();
    mine.operation_id = "op_7";
    const Error error = run(adapter->call_get("/x?key=secret", mine)).error();
    EXPECT_EQ(error.code, Errc::status);
    EXPECT_EQ(error.context.at("operation_id"), "op_7");
    EXPECT_EQ(error.context.at("service"), "quotes");
    EXPECT_THAT(error.message, Not(HasSubstr("secret")));
}

TEST_F(Adapter, AnEndpointThatNamesAHostIsRefused) {
    start([](const std::string&) { return Reply{ok("1")}; });
    EXPECT_EQ(run(adapter->call_get("http://127.0.0.1:9/", options())).error().code, Errc::invalid_argument);
    EXPECT_EQ(adapter->stats().requests, 0U);
}

TEST_F(Adapter, ABatchAnswersInOrderOverTheConnectionsThereAre) {
    start([](const std::string& request) { return Reply{ok(request.substr(5, request.find(' ', 5) - 5))}; });
    std::vector<ServiceCall> requests;
    for (int i = 0; i < 200; ++i) {
        requests.push_back({.endpoint = "/" + std::to_string(i)});
    }
    const auto answers = run(as_result(adapter->call_batch(std::move(requests), options(), true))).value();
    ASSERT_EQ(answers.size(), 200U);
    for (int i = 0; i < 200; ++i) {
        EXPECT_EQ(answers[static_cast<std::size_t>(i)].value(), i);
    }
    EXPECT_LE(client->stats().connections_created, 3U);
    EXPECT_TRUE(run(as_result(adapter->call_batch({}, options(), true))).value().empty());
}

TEST_F(Adapter, ABatchStopsAtItsFirstFailureOnlyWhereItIsToldTo) {
    start([](const std::string& request) {
        return request.starts_with("GET /bad") ? Reply{"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"} : Reply{ok("1")};
    });
    const auto requests = [] {
        std::vector<ServiceCall> made(50);
        for (ServiceCall& request : made) {
            request.endpoint = "/good";
        }
        made[10].endpoint = "/bad";
        return made;
    };
    const auto all = run(as_result(adapter->call_batch(requests(), options(), false))).value();
    EXPECT_EQ(std::count_if(all.begin(), all.end(), [](const auto& answer) { return answer.has_value(); }), 49);
    const auto some = run(as_result(adapter->call_batch(requests(), options(), true))).value();
    EXPECT_EQ(some[10].error().code, Errc::status);
    EXPECT_EQ(some[49].error().code, Errc::cancelled);
}

TEST_F(Adapter, ABatchHandsOverPartsInOrderWhileOthersAreUnderWay) {
    start(
        [](const std::string& request) {
            const std::string number = request.substr(5, request.find(' ', 5) - 5);
            return number == "299" ? Reply{.then = Reply::Then::hold} : Reply{ok(number)};
        },
        1);
    std::vector<ServiceCall> requests;
    for (int i = 0; i < 300; ++i) {
        requests.push_back({.endpoint = "/" + std::to_string(i)});
    }
    JsonOutcomes all;
    const auto take = [&all](JsonOutcomes part) { std::move(part.begin(), part.end(), std::back_inserter(all)); };
    const Pending<JsonOutcomes> pending(io, as_result(adapter->call_batch(std::move(requests), options(), true, take)));
    run_until([this] { return server->requests.size() == 300; });
    EXPECT_FALSE(pending.done());
    EXPECT_EQ(all.size(), 256U) << "two parts";
    server->say(0, ok("299"));
    run_until([&] { return pending.done(); });
    take(pending.result().value());
    ASSERT_EQ(all.size(), 300U);
    for (int i = 0; i < 300; ++i) {
        EXPECT_EQ(all[static_cast<std::size_t>(i)].value(), i);
    }
}

TEST_F(Adapter, ACancelledBatchEndsEveryCall) {
    start([](const std::string&) { return Reply{.then = Reply::Then::hold}; });
    std::vector<ServiceCall> requests(20, {.endpoint = "/x"});
    CallOptions mine = options();
    const Pending<std::vector<Result<boost::json::value>>> pending(
        io, as_result(adapter->call_batch(std::move(requests), mine, false)));
    run_until([this] { return client->stats().active == 3; });
    mine.cancellation_token.cancel({CancelCode::user, "enough", "test"});
    run_until([&] { return pending.done(); });
    for (const auto& answer : pending.result().value()) {
        EXPECT_EQ(answer.error().code, Errc::cancelled);
    }
    EXPECT_EQ(client->stats().open, 0U);
}

TEST_F(Adapter, HealthIsKeptForAsLongAsItIsAskedTo) {
    int asked = 0;
    start([&asked](const std::string& request) {
        EXPECT_TRUE(request.starts_with("GET /health "));
        ++asked;
        return Reply{ok(R"({"healthy": true})")};
    });
    EXPECT_FALSE(run(adapter->check_health(1s, 1min, options()))->cached);
    EXPECT_TRUE(run(adapter->check_health(1s, 1min, options()))->cached);
    EXPECT_EQ(asked, 1);
    EXPECT_FALSE(run(adapter->check_health(1s, 0ms, options()))->cached);
    EXPECT_EQ(asked, 2);
}

TEST_F(Adapter, HealthHasALimitOfItsOwnAndACancelIsNoAnswer) {
    start([](const std::string&) { return Reply{.then = Reply::Then::hold}; });
    const auto found = run(adapter->check_health(20ms, 0ms, options()));
    EXPECT_FALSE(found->healthy);
    EXPECT_EQ(found->error->code, Errc::service_timeout);
    CallOptions mine = options();
    const Pending<ServiceHealth> pending(io, adapter->check_health(1min, 0ms, mine));
    run_until([this] { return client->stats().active == 1; });
    mine.cancellation_token.cancel({CancelCode::user, "enough", "test"});
    run_until([&] { return pending.done(); });
    EXPECT_EQ(pending.error().code, Errc::cancelled);
}

TEST_F(Adapter, FailedAttemptsStandInTheOperationsLog) {
    int asked = 0;
    start([&asked](const std::string&) {
        return ++asked == 1 ? Reply{"HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"}
                            : Reply{ok("1")};
    });
    const auto operation = Operation::make(OperationSpec{.type = "test", .id = "op_1"}, make_token(), clock);
    ASSERT_TRUE(operation->start());
    ASSERT_TRUE(run(adapter->call_get("/x?key=secret", call_options_of(operation))));
    std::vector<OperationEvent> logged = operation->events({}).value();
    std::erase_if(logged, [](const auto& event) { return event.kind != OperationEventKind::log; });
    ASSERT_EQ(logged.size(), 1U);
    EXPECT_EQ(logged[0].data.at("status"), 503);
    EXPECT_THAT(std::string(logged[0].data.at("message").as_string()),
                testing::StartsWith("quotes: GET /x: attempt 1: was answered 503; again in "));
    operation->finish(Result<std::any>(boost::system::in_place_value));
}

TEST(Config, TheEnvironmentComesBeforeTheDefaults) {
    HostServiceConfig defaults;
    defaults.max_connections = 10;
    const Env env({{"IB_HOST_SERVICE_TIMEOUT", "0.5"}, {"IB_HOST_SERVICE_MAX_RETRIES", "1"}});
    const auto config = read_host_service_config(defaults, "IB", env).value();
    EXPECT_EQ(config.timeout, 500ms);
    EXPECT_EQ(config.max_retries, 1);
    EXPECT_EQ(config.max_connections, 10U);
    const ClientOptions client = to_client_options(config);
    EXPECT_EQ(client.timeouts.total, 500ms);
    EXPECT_EQ(client.retry.attempts, 2);
    EXPECT_EQ(client.pool.max_connections, 10U);
    const Env wrong(std::map<std::string, std::string>{{"IB_HOST_SERVICE_KEEPALIVE", "x"}});
    EXPECT_THAT(read_host_service_config(defaults, "IB", wrong).error().message,
                HasSubstr("IB_HOST_SERVICE_KEEPALIVE"));
}

}  // namespace
}  // namespace ktrdr::test
