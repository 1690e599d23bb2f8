#include <ktrdr/training/host_session_manager.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <openssl/evp.h>

#include <ktrdr/adapter/host_service.hpp>
#include <ktrdr/adapter/spawned.hpp>
#include <ktrdr/operations/registry.hpp>
#include <ktrdr/orchestrator/run_operation.hpp>
#include <ktrdr/training/training_manager.hpp>

#include "executors.hpp"
#include "fakes.hpp"
#include "http/fault_server.hpp"
#include "model_tar.hpp"

namespace ktrdr {
namespace {

using test::Reply;
using ::testing::HasSubstr;

std::string reply_with(int status, const std::string& body, const std::string& headers = "") {
    return "HTTP/1.1 " + std::to_string(status) + " x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
           headers + "\r\n" + body;
}

std::string digest_of(const std::string& body) {
    std::array<unsigned char, 32> sum{};
    unsigned int size = 0;
    EXPECT_EQ(EVP_Digest(body.data(), body.size(), sum.data(), &size, EVP_sha256(), nullptr), 1);
    std::array<unsigned char, 64> text{};
    const int length = EVP_EncodeBlock(text.data(), sum.data(), 32);
    return "Repr-Digest: sha-256=:" + std::string(text.begin(), text.begin() + length) + ":\r\n";
}

/// A host of the test's own, and one training that is a session on it.
struct HostSession : ::testing::Test {
    test::TemporaryFolder folder{};
    boost::asio::io_context sockets{};
    IoExecutor io{sockets};
    ManualClock clock{};
    ManualTimerQueue timers{clock};
    OperationRegistry registry{io, timers, clock};
    ThreadExecutor files{};
    std::shared_ptr<test::FaultServer> server;
    /// What it answers by method and path, the last one again and again; 500 for all else.
    std::map<std::string, std::vector<Reply>> answers{};
    /// Called with each of them.
    std::function<void(const std::string& endpoint)> on_request{};

    HostSession() {
        server = test::FaultServer::start(sockets, [this](const std::string& request) {
            const std::string endpoint = request.substr(0, request.find(' ', request.find(' ') + 1));
            const auto known = answers.find(endpoint.substr(0, endpoint.find('?')));
            Reply reply{reply_with(500, R"({"detail": "no"})")};
            if (known != answers.end()) {
                reply = known->second.front();
                if (known->second.size() > 1) {
                    known->second.erase(known->second.begin());
                }
            }
            if (on_request) {
                on_request(endpoint);
            }
            return reply;
        });
        answers["POST /training/start"] = {{test::ok(R"({"session_id": "mine", "status": "started"})")}};
        answers["POST /training/stop"] = {{test::ok(R"({"session_id": "mine", "status": "stopped"})")}};
    }
    void says(std::initializer_list<const char*> statuses) {
        auto& replies = answers["GET /training/status/mine"];
        replies.clear();
        for (const char* status : statuses) {
            replies.push_back({test::ok(status)});
        }
    }
    std::size_t asked(const std::string& endpoint) const {
        return static_cast<std::size_t>(std::ranges::count_if(
            server->requests, [&](const std::string& request) { return request.starts_with(endpoint); }));
    }
    /// Runs until it has ended.
    std::shared_ptr<Operation> train(std::string url = "") {
        HostServiceConfig config;
        config.base_url = url.empty() ? server->url() : url;
        config.timeout = std::chrono::seconds{10};
        auto service = make_service_adapter({sockets, {io, files}}, TrainingManager::host_service().identity, config);
        TrainingRequest request;
        request.strategy = test::strategy_json();
        request.strategy_path = "here.yaml";
        const auto context = build_training_context(request).value();
        HostPace pace;
        pace.first_pause = std::chrono::milliseconds{1};
        pace.patience = std::chrono::milliseconds{200};
        ExecuteOptions options;
        options.steps = training_steps();
        auto adapter = std::make_shared<TrainingAdapter>(service.value());
        auto operation =
            run_operation(
                registry, io, OperationSpec{.type = "training", .id = "mine"},
                [this, request, context, adapter, pace](std::shared_ptr<Operation> running, OperationDone done) {
                    auto session = std::make_shared<HostSessionManager>(
                        request, context,
                        HostSessionMeans{adapter, files, ModelDirectory(folder.path() / "models", clock), pace},
                        running);
                    spawn_work(sockets, HostSessionManager::run(session), std::move(done), "a session");
                },
                std::move(options))
                .value();
        adapter.reset();
        while (!is_terminal(operation->status()) && sockets.run_one_for(std::chrono::seconds{60}) > 0) {
        }
        return operation;
    }
    boost::json::object value_of(const std::shared_ptr<Operation>& operation) {
        const auto result = operation->result();
        EXPECT_TRUE(result) << result.error().message;
        return result ? std::any_cast<boost::json::object>(*result) : boost::json::object{};
    }
    static std::vector<boost::json::object> metrics_of(const std::shared_ptr<Operation>& operation) {
        EventQuery query;
        query.kind = OperationEventKind::metric;
        std::vector<boost::json::object> metrics;
        for (const OperationEvent& event : operation->events(query).value()) {
            metrics.push_back(event.data);
        }
        return metrics;
    }
};

using HostSession_ = HostSession;

TEST_F(HostSession_, IsFollowedOnAHostThatKnowsOnlyTheTable) {
    says({R"({"session_id": "mine", "status": "INITIALIZED"})",
          R"({"status": "RUNNING", "progress": {"epoch": 1, "total_epochs": 2, "progress_percent": 40},
              "metrics": {"train_loss": [1.0]}})",
          R"({"status": "Completed", "progress": {"epoch": 2, "total_epochs": 2, "progress_percent": 100},
              "metrics": {"train_loss": [1.0, 0.5], "val_loss": [1.5, 0.75]}})"});
    const auto operation = train();
    const auto result = value_of(operation);
    EXPECT_EQ(result.at("training_metrics").at("final_val_loss"), 0.75);
    EXPECT_EQ(result.at("session_info").at("operation_id"), "mine");
    EXPECT_EQ(result.at("session_info").at("host_status"), "completed");
    EXPECT_TRUE(result.at("artifacts").at("model_path").is_null());
    ASSERT_EQ(metrics_of(operation).size(), 2u);
    EXPECT_EQ(metrics_of(operation)[1].at("epoch"), 2);
    EXPECT_THAT(operation->record().warnings.back(), HasSubstr("keeps the model"));
    EXPECT_EQ(asked("POST /training/start"), 1u);
    EXPECT_EQ(asked("POST /training/stop"), 0u);
}

TEST_F(HostSession_, IsOneThoughTheAnswerToItsStartIsLostAndTheSecondTryIsRefused) {
    answers["POST /training/start"] = {{"", Reply::Then::reset}, {reply_with(500, R"({"detail": "it exists"})")}};
    says({R"({"status": "running"})", R"({"status": "completed"})"});
    const auto operation = train();
    (void)value_of(operation);
    EXPECT_EQ(asked("POST /training/start"), 2u);
    EXPECT_EQ(asked("POST /training/stop"), 0u);
}

TEST_F(HostSession_, IsStoppedWhereNobodyKnowsWhetherItBegan) {
    answers["POST /training/start"] = {{reply_with(500, R"({"detail": "out of order"})")}};
    const auto operation = train();
    EXPECT_THAT(operation->result().error().message, HasSubstr("out of order"));
    EXPECT_EQ(asked("POST /training/stop"), 1u);
}

TEST_F(HostSession_, IsNotBegunWhereTheRequestIsRefused) {
    answers["POST /training/start"] = {{reply_with(422, R"({"detail": "no such indicator"})")}};
    const auto operation = train();
    EXPECT_THAT(operation->result().error().message, HasSubstr("no such indicator"));
    EXPECT_EQ(server->requests.size(), 1u);
}

TEST_F(HostSession_, SaysHowToGetAHostWhereThereIsNone) {
    const auto operation = train("http://127.0.0.1:9");
    EXPECT_EQ(operation->result().error().code, Errc::service_connection);
    EXPECT_THAT(operation->result().error().message, HasSubstr("ktrdr-core serve training --port 9"));
}

TEST_F(HostSession_, StopsTheHostsSessionWhenItIsCancelledAndWaitsForItsWord) {
    says({R"({"status": "running", "progress": {"epoch": 1}})"});
    std::shared_ptr<Operation> cancelled;
    on_request = [this](const std::string& endpoint) {
        if (endpoint == "GET /training/status/mine" && asked(endpoint) == 2) {
            registry.find("mine")->request_cancel({CancelCode::user, "enough", "test"});
        }
        if (endpoint == "POST /training/stop") {
            says({R"({"status": "running"})", R"({"status": "stopped"})"});
        }
    };
    const auto operation = train();
    EXPECT_EQ(operation->status(), OperationStatus::cancelled);
    EXPECT_EQ(asked("POST /training/stop"), 1u);
    EXPECT_TRUE(operation->record().warnings.empty());
    // The host said "running" once more before its word.
    EXPECT_EQ(answers["GET /training/status/mine"].size(), 1u);
}

TEST_F(HostSession_, SaysSoWhereTheHostDoesNotStop) {
    says({R"({"status": "running"})"});
    on_request = [this](const std::string& endpoint) {
        if (endpoint == "GET /training/status/mine" && asked(endpoint) == 1) {
            registry.find("mine")->request_cancel({CancelCode::user, "enough", "test"});
            answers["POST /training/stop"] = {{reply_with(500, R"({"detail": "cannot"})")}};
            answers["GET /training/status/mine"] = {{reply_with(500, R"({"detail": "cannot"})")}};
        }
    };
    const auto operation = train();
    EXPECT_EQ(operation->status(), OperationStatus::cancelled);
    EXPECT_THAT(operation->record().warnings.back(), HasSubstr("may go on there"));
}

TEST_F(HostSession_, FailsAsTheHostsSessionDoes) {
    says({R"({"status": "failed", "error": "AAPL has 3 bars", "error_code": "not_enough_data"})"});
    EXPECT_EQ(train()->result().error().code, Errc::not_enough_data);
}

TEST_F(HostSession_, SaysThatItsHostEnded) {
    says({R"({"status": "failed", "error": "x", "operation_status": "interrupted"})"});
    const auto error = train()->result().error();
    EXPECT_EQ(error.code, Errc::host_service);
    EXPECT_THAT(error.message, HasSubstr("ended while it trained session mine"));
}

TEST_F(HostSession_, IsLostInOneErrorWhenTheHostIsSilentForLonger) {
    answers["GET /training/status/mine"] = {{test::ok(R"({"status": "running"})")},
                                            {reply_with(500, R"({"detail": "gone"})")}};
    const auto error = train()->result().error();
    EXPECT_THAT(error.message, HasSubstr("was lost"));
    EXPECT_THAT(error.message, HasSubstr("mine"));
}

struct WithModel : HostSession {
    WithModel() {
        says({R"({"status": "completed", "operation_status": "completed", "result":
            {"artifacts": {"model_path": "/there"}, "session_info": {"training_mode": "local"}, "history": []}})"});
        answers["GET /training/sessions/mine/metrics"] = {
            {test::ok(R"({"metrics": [{"epoch": 1, "seq": 4}, {"epoch": 2, "seq": 9}], "cursor": 9})")},
            {test::ok(R"({"metrics": [], "cursor": 9})")}};
    }
    void hands_over(const std::string& sent, const std::string& summed) {
        answers["GET /training/sessions/mine/model"] = {{test::ok(sent, digest_of(summed))}};
    }
};

using WithModel_ = WithModel;

TEST_F(WithModel_, BringsTheModelHome) {
    const std::string tar = test::model_tar() + test::tar_end();
    hands_over(tar, tar);
    const auto operation = train();
    const auto result = value_of(operation);
    const std::filesystem::path path(std::string(result.at("artifacts").at("model_path").as_string()));
    EXPECT_EQ(path, folder.path() / "models/small/AAPL-MSFT_1d_v1");
    EXPECT_TRUE(std::filesystem::exists(path / "model.safetensors"));
    EXPECT_EQ(result.at("session_info").at("training_mode"), "host");
    EXPECT_EQ(metrics_of(operation).size(), 2u);
    EXPECT_EQ(operation->record().progress->percentage, 100);
}

TEST_F(WithModel_, InstallsNothingOfBytesThatAreNotThoseThatWereSent) {
    const std::string tar = test::model_tar() + test::tar_end();
    hands_over(tar, tar + "x");
    EXPECT_EQ(train()->result().error().code, Errc::protocol);
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "models/small"));
}

TEST_F(WithModel_, InstallsNothingOfAnArchiveThatIsCut) {
    const std::string cut = test::model_tar().substr(0, 700);
    hands_over(cut, cut);
    EXPECT_EQ(train()->result().error().code, Errc::protocol);
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "models/small"));
}

}  // namespace
}  // namespace ktrdr
