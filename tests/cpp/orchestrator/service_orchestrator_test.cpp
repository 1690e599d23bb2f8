#include <gmock/gmock.h>

#include <stdexcept>

#include <ktrdr/base/manual.hpp>
#include <ktrdr/orchestrator/service_orchestrator.hpp>

namespace ktrdr {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class Manager final : public ServiceOrchestrator {
public:
    using ServiceOrchestrator::ServiceOrchestrator;
    std::string service_name() const override { return "IB"; }
    std::string default_host_url() const override { return default_url; }
    std::string env_var_prefix() const override { return "IB"; }

    std::string default_url{"http://localhost:5001"};
};

class Orchestrator : public testing::Test {
protected:
    std::shared_ptr<Operation> execute(OperationWork work, ExecuteOptions options = {}) {
        return manager_.execute_with_progress({"data_load", "", "", {}}, std::move(work), std::move(options)).value();
    }
    Result<ServiceRoute> route(std::map<std::string, std::string> env, std::optional<bool> use = {},
                               std::optional<std::string> url = {}) {
        return Manager(registry_, io_, Env(std::move(env))).route(use, url);
    }

    ManualClock clock_{};
    ManualExecutor io_{};
    ManualTimerQueue timers_{clock_};
    OperationRegistry registry_{io_, timers_, clock_};
    Manager manager_{registry_, io_, Env{}};
};

TEST_F(Orchestrator, RunsTheWorkOnTheIoThread) {
    const auto operation = execute([](auto running, auto done) {
        EXPECT_EQ(running->status(), OperationStatus::running);
        done(std::any(42));
    });
    EXPECT_EQ(operation->status(), OperationStatus::pending);
    EXPECT_EQ(registry_.find(operation->id()), operation);
    io_.run();
    EXPECT_EQ(operation->status(), OperationStatus::completed);
    EXPECT_EQ(std::any_cast<int>(operation->result().value()), 42);
}

TEST_F(Orchestrator, HandsStepsRendererAndContextToTheProgress) {
    ExecuteOptions options;
    options.steps = {{"Loading", 1, {}}, {"Storing", 3, {}}};
    options.context = {{"symbol", "AAPL"}};
    OperationDone later;
    const auto operation = execute(
        [&later](auto running, auto done) {
            running->progress().enter(1);
            later = std::move(done);
        },
        std::move(options));
    io_.run();
    const auto state = operation->record().progress;
    EXPECT_EQ(state->step_name, "Storing");
    EXPECT_DOUBLE_EQ(state->percentage, 25);
    EXPECT_EQ(state->context.at("symbol").as_string(), "AAPL");
    later(std::any{});
}

TEST_F(Orchestrator, GivesTheErrorOfTheWork) {
    const auto operation = execute([](auto, auto done) { done(failed(fail(Errc::no_data, "no bars"))); });
    io_.run();
    EXPECT_EQ(operation->status(), OperationStatus::failed);
    EXPECT_EQ(operation->result().error(), fail(Errc::no_data, "no bars"));
}

TEST_F(Orchestrator, TurnsAnExceptionIntoAnError) {
    const auto operation = execute([](auto, auto) { throw std::runtime_error("no such thing"); });
    const auto other = execute([](auto, auto) { throw ErrorException(fail(Errc::storage, "disk")); });
    io_.run();
    EXPECT_EQ(operation->result().error().code, Errc::internal);
    EXPECT_THAT(operation->result().error().message, HasSubstr("no such thing"));
    EXPECT_EQ(other->result().error().code, Errc::storage);
}

TEST_F(Orchestrator, EndsAnOperationWhoseWorkForgetsIt) {
    const auto operation = execute([](auto, auto) {});
    io_.run();
    EXPECT_EQ(operation->status(), OperationStatus::failed);
    EXPECT_THAT(operation->result().error().message, HasSubstr("without saying how"));
}

TEST_F(Orchestrator, CountsTheFirstOutcomeOnly) {
    const auto operation = execute([](auto, auto done) {
        done(std::any(1));
        done(failed(fail(Errc::internal, "again")));
    });
    io_.run();
    EXPECT_EQ(std::any_cast<int>(operation->result().value()), 1);
}

TEST_F(Orchestrator, DoesNotBeginWorkThatWasCancelledBefore) {
    bool ran = false;
    const auto operation = execute([&ran](auto, auto) { ran = true; });
    operation->request_cancel({CancelCode::user, "changed my mind", "test"});
    io_.run();
    EXPECT_FALSE(ran);
    EXPECT_EQ(operation->status(), OperationStatus::cancelled);
    EXPECT_EQ(operation->record().started, std::nullopt);
}

TEST_F(Orchestrator, StopsWithTheTokenItWasGiven) {
    const auto token = CancellationToken::create(io_, timers_, clock_);
    OperationDone later;
    const auto operation =
        manager_
            .execute_with_cancellation(
                {"data_load", "", "", {}}, [&later](auto, auto done) { later = std::move(done); }, token)
            .value();
    io_.run();
    token.cancel({CancelCode::user, "enough", "test"});
    EXPECT_TRUE(operation->token().is_cancelled());
    EXPECT_EQ(operation->status(), OperationStatus::cancelling);
    later(std::any(1));
    EXPECT_EQ(operation->status(), OperationStatus::cancelled);
    EXPECT_EQ(operation->result().error().code, Errc::cancelled);
}

TEST_F(Orchestrator, LeavesTheGivenTokenAlone) {
    const auto token = CancellationToken::create(io_, timers_, clock_);
    ExecuteOptions options;
    options.cancellation_token = token;
    const auto operation = execute([](auto, auto) {}, options);
    operation->request_cancel({});
    EXPECT_FALSE(token.is_cancelled());
}

TEST_F(Orchestrator, TimesOut) {
    ExecuteOptions options;
    options.timeout = 5s;
    OperationDone later;
    const auto operation = execute([&later](auto, auto done) { later = std::move(done); }, options);
    io_.run();
    clock_.advance(5s);
    timers_.fire();
    later(std::any(1));
    EXPECT_EQ(operation->status(), OperationStatus::timed_out);
    EXPECT_EQ(operation->result().error().code, Errc::timed_out);
}

TEST_F(Orchestrator, AnswersTheSameIdWithTheSameOperation) {
    int runs = 0;
    const auto work = [&runs](auto, auto done) {
        ++runs;
        done(std::any(runs));
    };
    const OperationSpec spec{"data_load", "mine", "", {{"symbol", "AAPL"}}};
    const auto first = manager_.execute_with_progress(spec, work).value();
    io_.run();
    EXPECT_EQ(manager_.execute_with_progress(spec, work).value(), first);
    io_.run();
    EXPECT_EQ(runs, 1);
    const OperationSpec other{"data_load", "mine", "", {{"symbol", "MSFT"}}};
    EXPECT_EQ(manager_.execute_with_progress(other, work).error().code, Errc::conflict);
}

TEST_F(Orchestrator, KeepsOperationsApart) {
    std::vector<OperationDone> done;
    std::vector<std::shared_ptr<Operation>> operations;
    for (int i = 0; i < 10; ++i) {
        operations.push_back(execute([&done](auto running, auto end) {
            running->progress().enter(0);
            done.push_back(std::move(end));
        }));
    }
    io_.run();
    for (std::size_t i = 0; i < operations.size(); ++i) {
        operations[i]->progress().outer().store({static_cast<std::int64_t>(i), 20, 0, 0, {}});
    }
    operations[3]->request_cancel({});
    for (std::size_t i = 0; i < operations.size(); ++i) {
        EXPECT_DOUBLE_EQ(operations[i]->record().progress->percentage, static_cast<double>(i) * 5);
        EXPECT_EQ(operations[i]->token().is_cancelled(), i == 3);
        done[i](std::any(i));
    }
    EXPECT_EQ(operations[3]->status(), OperationStatus::cancelled);
    EXPECT_EQ(operations[4]->status(), OperationStatus::completed);
}

TEST_F(Orchestrator, RefusesBadArgumentsAndMakesNoOperation) {
    const auto work = [](auto, auto) {};
    ExecuteOptions bad_steps;
    bad_steps.steps = {{"Loading", -1, {}}};
    ExecuteOptions bad_timeout;
    bad_timeout.timeout = 0s;
    const OperationSpec spec{"data_load", "", "", {}};
    EXPECT_EQ(manager_.execute_with_progress(spec, {}).error().code, Errc::invalid_argument);
    EXPECT_EQ(manager_.execute_with_progress(spec, work, bad_steps).error().code, Errc::invalid_argument);
    EXPECT_EQ(manager_.execute_with_progress(spec, work, bad_timeout).error().code, Errc::invalid_argument);
    EXPECT_EQ(manager_.execute_with_progress({"data_load", "a b", "", {}}, work).error().code, Errc::invalid_argument);
    EXPECT_TRUE(registry_.live().empty());
}

TEST_F(Orchestrator, WorksHereWhenNothingIsSet) {
    const auto here = route({}).value();
    EXPECT_FALSE(here.use_host_service);
    EXPECT_EQ(here.url, "");
    EXPECT_FALSE(route({{"IB_HOST_SERVICE_URL", ""}}).value().use_host_service);
}

TEST_F(Orchestrator, TakesAUrlAsTheChoiceOfItsServiceUnlessTheSwitchSaysNo) {
    const auto chosen = route({{"IB_HOST_SERVICE_URL", "http://env"}}).value();
    EXPECT_TRUE(chosen.use_host_service);
    EXPECT_EQ(chosen.url, "http://env");
    EXPECT_TRUE(route({{"IB_HOST_SERVICE_URL", "http://env"}, {"USE_IB_HOST_SERVICE", ""}}).value().use_host_service);
    EXPECT_FALSE(
        route({{"IB_HOST_SERVICE_URL", "http://env"}, {"USE_IB_HOST_SERVICE", "false"}}).value().use_host_service);
    EXPECT_FALSE(route({{"IB_HOST_SERVICE_URL", "http://env"}}, false).value().use_host_service);
    EXPECT_EQ(route({{"IB_HOST_SERVICE_URL", "env:5001"}}).error().code, Errc::configuration);
}

TEST_F(Orchestrator, TakesTheArgumentBeforeTheEnvironmentBeforeTheDefault) {
    EXPECT_EQ(route({{"USE_IB_HOST_SERVICE", "yes"}}).value().url, "http://localhost:5001");
    EXPECT_EQ(route({{"USE_IB_HOST_SERVICE", "1"}, {"IB_HOST_SERVICE_URL", "http://env"}}).value().url, "http://env");
    EXPECT_EQ(route({{"IB_HOST_SERVICE_URL", "http://env"}}, true).value().url, "http://env");
    EXPECT_EQ(route({{"IB_HOST_SERVICE_URL", "http://env"}}, true, "http://arg").value().url, "http://arg");
    EXPECT_EQ(route({{"USE_IB_HOST_SERVICE", "no"}}, {}, "http://arg").value().url, "http://arg");
    EXPECT_FALSE(route({{"USE_IB_HOST_SERVICE", "yes"}}, false).value().use_host_service);
}

TEST_F(Orchestrator, NamesTheVariableItCannotRead) {
    const auto error = route({{"USE_IB_HOST_SERVICE", "perhaps"}}).error();
    EXPECT_EQ(error.code, Errc::configuration);
    EXPECT_THAT(error.message, HasSubstr("USE_IB_HOST_SERVICE"));
    EXPECT_THAT(error.message, HasSubstr("perhaps"));
    EXPECT_TRUE(route({{"USE_IB_HOST_SERVICE", "perhaps"}}, true));
}

TEST_F(Orchestrator, RefusesAUrlTogetherWithNotUsingIt) {
    EXPECT_EQ(route({}, false, "http://arg").error().code, Errc::invalid_argument);
    EXPECT_EQ(route({}, {}, "").error().code, Errc::invalid_argument);
}

TEST_F(Orchestrator, NamesBothWaysWhenThereIsNoUrl) {
    manager_.default_url.clear();
    const auto error = manager_.route(true, {}).error();
    EXPECT_EQ(error.code, Errc::configuration);
    EXPECT_THAT(error.message, HasSubstr("argument"));
    EXPECT_THAT(error.message, HasSubstr("IB_HOST_SERVICE_URL"));
}

TEST_F(Orchestrator, RefusesAUrlThatIsNone) {
    const auto resolved = route({{"USE_IB_HOST_SERVICE", "1"}, {"IB_HOST_SERVICE_URL", "localhost:5001"}});
    ASSERT_FALSE(resolved);
    EXPECT_EQ(resolved.error().code, Errc::configuration);
    EXPECT_THAT(resolved.error().message, HasSubstr("http://"));
    EXPECT_EQ(resolve_route({"X", "", "my-x"}, Env{}, {}, {}).error().code, Errc::configuration);
}

TEST_F(Orchestrator, AnswersTheIdOfAManagedOperation) {
    OperationDone later;
    const auto id =
        manager_.start_managed_operation("Import", "import", [&later](auto, auto done) { later = std::move(done); });
    ASSERT_TRUE(id);
    io_.run();
    EXPECT_EQ(registry_.record(*id)->name, "Import");
    later(std::any{});
    EXPECT_EQ(registry_.record(*id)->status, OperationStatus::completed);
    EXPECT_TRUE(manager_.validate_configuration());
}

TEST_F(Orchestrator, PutsItsContextIntoErrors) {
    const auto operation = execute(ServiceOrchestrator::with_error_handling(
        [](auto, auto done) { done(failed(fail(Errc::storage, "no", {{"file", "a"}}))); },
        {{"symbol", "AAPL"}, {"file", "never"}}));
    io_.run();
    EXPECT_EQ(operation->result().error().context, (boost::json::object{{"file", "a"}, {"symbol", "AAPL"}}));
}

class Retries : public Orchestrator {
protected:
    /// Work that fails with `code` so many times.
    OperationWork failing(int times, Errc code = Errc::service_connection) {
        return [this, times, code](auto, auto done) {
            done(++tries_ <= times ? failed(fail(code, "not now")) : Result<std::any>(std::any(tries_)));
        };
    }
    /// Let the time of the next wait pass.
    void wait() {
        clock_.advance(1min);
        timers_.fire();
        io_.run();
    }

    int tries_{0};
};

TEST_F(Retries, TryAgainWhatMayPass) {
    const auto operation = execute(manager_.retry_with_backoff(failing(2)));
    io_.run();
    EXPECT_EQ(operation->status(), OperationStatus::running);
    EXPECT_THAT(operation->record().warnings.back(), HasSubstr("try 1 of 3 failed (not now)"));
    wait();
    wait();
    EXPECT_EQ(operation->status(), OperationStatus::completed);
    EXPECT_EQ(tries_, 3);
}

TEST_F(Retries, GiveUpAfterTheLastTry) {
    const auto operation = execute(manager_.retry_with_backoff(failing(9)));
    io_.run();
    for (int i = 0; i < 5; ++i) {
        wait();
    }
    EXPECT_EQ(operation->status(), OperationStatus::failed);
    EXPECT_EQ(tries_, 3);
}

TEST_F(Retries, LeaveAloneWhatDoesNotPass) {
    const auto operation = execute(manager_.retry_with_backoff(failing(9, Errc::no_data)));
    io_.run();
    EXPECT_EQ(operation->status(), OperationStatus::failed);
    EXPECT_EQ(tries_, 1);
}

TEST_F(Retries, AreEndedByACancelAtOnce) {
    const auto operation = execute(manager_.retry_with_backoff(failing(9)));
    io_.run();
    operation->request_cancel({.text = "enough"});
    io_.run();
    EXPECT_EQ(operation->status(), OperationStatus::cancelled);
    wait();
    EXPECT_EQ(tries_, 1);
}

TEST(RetryDelay, GrowsToItsLimitAndTakesAShareAway) {
    const RetryOptions options{.max_attempts = 9, .base_delay = 1s, .max_delay = 5s, .multiplier = 2, .jitter = 0.5};
    EXPECT_EQ(retry_delay(options, 1, 0), 1s);
    EXPECT_EQ(retry_delay(options, 2, 0), 2s);
    EXPECT_EQ(retry_delay(options, 4, 0), 5s);
    EXPECT_EQ(retry_delay(options, 4000, 0), 5s);
    EXPECT_EQ(retry_delay(options, 2, 0.5), 1500ms);
}

TEST(RetryDelay, RefusesOptionsThatMakeNoSense) {
    EXPECT_THAT(check({.max_attempts = 0}).error().message, HasSubstr("max_attempts"));
    EXPECT_THAT(check({.base_delay = 0s}).error().message, HasSubstr("base_delay"));
    EXPECT_THAT(check({.max_delay = 1ms}).error().message, HasSubstr("max_delay"));
    EXPECT_THAT(check({.multiplier = 0.5}).error().message, HasSubstr("multiplier"));
    EXPECT_THAT(check({.jitter = 2}).error().message, HasSubstr("jitter"));
}

}  // namespace
}  // namespace ktrdr
