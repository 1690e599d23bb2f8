#include <ktrdr/training/host_answers.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "fakes.hpp"

namespace ktrdr {
namespace {

using ::testing::ElementsAre;

SessionSnapshot read_text(const char* text) {
    auto read = read_session(boost::json::parse(text));
    EXPECT_TRUE(read) << read.error().message;
    return read ? *read : SessionSnapshot{};
}

TrainingRequest small_request() {
    TrainingRequest made;
    made.strategy = test::strategy_json();
    made.start_date = "2020-02-01";
    return made;
}

TEST(HostAnswers, ComparesStatesWithoutCaseAndKnowsTheOldOnes) {
    for (const auto& [text, state] : {std::pair{R"({"status": "INITIALIZED"})", SessionState::initializing},
                                      std::pair{R"({"status": "Running"})", SessionState::running},
                                      std::pair{R"({"status": "COMPLETED"})", SessionState::completed},
                                      std::pair{R"({"status": "failed"})", SessionState::failed},
                                      std::pair{R"({"status": "Stopped"})", SessionState::stopped}}) {
        EXPECT_EQ(read_text(text).state, state) << text;
    }
}

TEST(HostAnswers, RefusesWhatIsNoStateOfASession) {
    for (const char* text : {"[]", "7", "{}", R"({"status": "dancing"})", R"({"status": 5})"}) {
        EXPECT_EQ(read_session(boost::json::parse(text)).error().code, Errc::protocol) << text;
    }
}

TEST(HostAnswers, TakesTheLastOfEachMetricWhetherItIsToldAloneOrInAList) {
    const auto lists = read_text(
        R"({"status": "running", "metrics": {"train_loss": [1.0, 0.5], "val_loss": [2.0], "note": "x", "none": []}})");
    EXPECT_EQ(lists.progress.metrics.at("train_loss"), 0.5);
    EXPECT_EQ(lists.progress.metrics.at("val_loss"), 2.0);
    EXPECT_EQ(lists.progress.metrics.size(), 2u);
    ASSERT_EQ(lists.epochs.size(), 2u);
    EXPECT_EQ(lists.epochs[0], boost::json::parse(R"({"train_loss": 1.0, "val_loss": 2.0, "epoch": 1})"));
    EXPECT_EQ(lists.epochs[1], boost::json::parse(R"({"train_loss": 0.5, "epoch": 2})"));
    const auto last = read_text(R"({"status": "running", "metrics": {"train_loss": 0.25}})");
    EXPECT_EQ(last.progress.metrics.at("train_loss"), 0.25);
    EXPECT_TRUE(last.epochs.empty());
}

TEST(HostAnswers, ReadsProgressOfWhateverType) {
    const auto session = read_text(
        R"({"status": "running", "progress": {"epoch": 3.0, "total_epochs": 9, "batch": -4, "total_batches": "many",
            "progress_percent": 1e9, "items_processed": 1e300, "current_item": 7}})");
    EXPECT_EQ(session.progress.epoch, 3);
    EXPECT_EQ(session.progress.total_epochs, 9);
    EXPECT_EQ(session.progress.batch, 0);
    EXPECT_EQ(session.progress.total_batches, 0);
    EXPECT_EQ(session.progress.percent, 100);
    EXPECT_EQ(session.progress.item, "");
    EXPECT_FALSE(session.has_additions);
}

TEST(HostAnswers, TellsAnErrorInWhateverForm) {
    EXPECT_EQ(read_text(R"({"status": "failed", "error": "no bars"})").error, "no bars");
    EXPECT_EQ(read_text(R"({"status": "failed", "error": {"message": "no bars"}})").error, "no bars");
    EXPECT_EQ(read_text(R"({"status": "failed", "error": 5})").error, "the host says no more");
    EXPECT_EQ(read_text(R"({"status": "failed", "error": null})").error, "");
    EXPECT_TRUE(read_text(R"({"status": "failed", "operation_status": "interrupted"})").interrupted);
}

TEST(HostAnswers, SendsWhenTheTestBegins) {
    TrainingRequest request = small_request();
    request.test_from = "2020-06-01";
    const auto body = start_request(request, build_training_context(request).value(), "mine");
    EXPECT_EQ(body.at("data_configuration").at("test_from"), "2020-06-01");
    EXPECT_EQ(body.at("training_configuration").at("test_from"), "2020-06-01");
}

/// Every option that the contract's table does not know, other than by default.
TrainingRequest with_additions() {
    TrainingRequest request = small_request();
    request.test_from = "2020-06-01";
    request.series = {"ADJUSTED_LAST", "extended"};
    request.random_walk_baseline = false;
    request.permutation_importance = true;
    request.resume_from = "before";
    request.save_checkpoint = false;
    request.checkpoint_epochs = 2;
    request.checkpoint_seconds = 7.5;
    return request;
}

TEST(HostAnswers, SendsOptionsThatAreOtherThanByDefaultAndNoOthers) {
    const TrainingRequest request = with_additions();
    const auto body = start_request(request, build_training_context(request).value(), "mine");
    EXPECT_EQ(body.at("training_configuration"), boost::json::parse(R"({
        "resume_from": "before", "random_walk_baseline": false, "permutation_importance": true, "save_checkpoint": false,
        "checkpoint_epochs": 2, "checkpoint_seconds": 7.5, "test_from": "2020-06-01", "start_date": "2020-02-01"})"));
    EXPECT_EQ(body.at("data_configuration").at("what_to_show"), "ADJUSTED_LAST");
    EXPECT_EQ(body.at("data_configuration").at("session"), "extended");
    const auto usual = start_request(small_request(), build_training_context(small_request()).value(), "mine");
    EXPECT_EQ(usual.at("training_configuration"), boost::json::parse(R"({"start_date": "2020-02-01"})"));
    EXPECT_EQ(usual.at("data_configuration").as_object().size(), 3U);
}

TEST(HostAnswers, NamesWhatAHostDoesNotSayThatItUses) {
    EXPECT_THAT(passed_over(small_request(), {}), ElementsAre());
    EXPECT_EQ(passed_over(with_additions(), {}).size(), 9U);
    EXPECT_THAT(passed_over(with_additions(), {"random_walk_baseline", "permutation_importance", "save_checkpoint",
                                               "checkpoint_epochs", "checkpoint_seconds", "resume_from", "test_from"}),
                ElementsAre("what_to_show=\"ADJUSTED_LAST\"", "session=\"extended\""));
}

TEST(HostAnswers, ReadsWhatAStartWasUsedFor) {
    const auto read = [](const char* text) { return read_started(boost::json::parse(text)); };
    EXPECT_EQ(read(R"({"session_id": "a"})")->id, "a");
    EXPECT_THAT(read(R"({"session_id": "a"})")->used, ElementsAre());
    EXPECT_THAT(read(R"({"session_id": "a", "used": ["x", 7, "y"]})")->used, ElementsAre("x", "y"));
    EXPECT_THAT(read(R"({"session_id": "a", "used": "x"})")->used, ElementsAre());
    for (const char* none : {"7", "{}", R"({"session_id": 5})", R"({"session_id": ""})"}) {
        EXPECT_EQ(read(none).error().code, Errc::protocol) << none;
    }
}

TEST(HostAnswers, SendsTheStrategyItselfAndWhatIsAskedInPlaceOfItsOwn) {
    const TrainingRequest request = small_request();
    const auto body = start_request(request, build_training_context(request).value(), "mine");
    EXPECT_EQ(body.at("session_id"), "mine");
    const auto& model = body.at("model_configuration").as_object();
    EXPECT_EQ(model.at("strategy_config"), request.strategy);
    EXPECT_EQ(model.at("symbols"), boost::json::parse(R"(["AAPL", "MSFT"])"));
    EXPECT_EQ(model.at("multi_symbol"), true);
    EXPECT_EQ(body.at("data_configuration").at("start_date"), "2020-02-01");
    EXPECT_FALSE(body.at("data_configuration").as_object().contains("end_date"));
    EXPECT_FALSE(body.at("training_configuration").as_object().contains("validation_split"));
}

TEST(HostAnswers, MakesTheResultSchemaOfATableWithNullForWhatNobodySaid) {
    const TrainingRequest request = small_request();
    const auto session = read_text(R"({"status": "completed", "progress": {"epoch": 2},
        "metrics": {"train_loss": [1.0, 0.5], "test_accuracy": 0.4}})");
    const auto result = result_of_table(session, build_training_context(request).value());
    std::vector<std::string> names;
    for (const auto& member : result) {
        names.emplace_back(member.key());
    }
    EXPECT_THAT(names, ElementsAre("training_metrics", "validation_metrics", "test_metrics", "baselines", "confidence",
                                   "calibration", "per_symbol", "feature_importance", "history", "resource_usage",
                                   "artifacts", "session_info", "model_info"));
    EXPECT_TRUE(result.at("baselines").at("class_prior").is_null());
    EXPECT_EQ(result.at("history").at(1).as_object().size(), 7U);
    EXPECT_EQ(result.at("training_metrics").at("final_train_loss"), 0.5);
    EXPECT_TRUE(result.at("training_metrics").at("final_val_loss").is_null());
    EXPECT_EQ(result.at("test_metrics").at("test_accuracy"), 0.4);
    EXPECT_TRUE(result.at("artifacts").at("model_path").is_null());
}

TEST(HostAnswers, SendsTheSplitThatIsAskedFor) {
    TrainingRequest request = small_request();
    request.validation_split = 0.25;
    const auto body = start_request(request, build_training_context(request).value(), "mine");
    EXPECT_EQ(body.at("training_configuration").at("validation_split"), 0.25);
}

TEST(HostAnswers, ReadsNoProgressWhereNoneIsTold) {
    constexpr double endless = std::numeric_limits<double>::infinity();
    for (const boost::json::value& odd :
         {boost::json::value(nullptr), boost::json::value(boost::json::array{1}),
          boost::json::value({{"epoch", endless}, {"progress_percent", -endless}, {"phase", boost::json::array{1}}}),
          boost::json::value({{"epoch", nullptr}, {"progress_percent", "half"}})}) {
        const RemoteSnapshot read = read_remote_progress({{"progress", odd}, {"metrics", odd}});
        EXPECT_EQ(read.epoch, 0) << odd;
        EXPECT_EQ(read.percent, 0) << odd;
        EXPECT_EQ(read.phase, "") << odd;
    }
    EXPECT_EQ(read_remote_progress({{"metrics", {{"loss", endless}, {"f1", true}}}}).metrics.size(), 0U);
}

TEST(HostAnswers, TakesNoListThatIsTooLongForEpochs) {
    boost::json::array endless;
    endless.resize(1'000'001, 0.5);
    const boost::json::value told{
        {"status", "running"},
        {"metrics", {{"train_loss", {1.0, "x", nullptr}}, {"noise", std::move(endless)}, {"said", "x"}}}};
    const auto session = read_session(told).value();
    ASSERT_EQ(session.epochs.size(), 3U);
    EXPECT_EQ(session.epochs[1], (boost::json::object{{"epoch", 2}}));
    EXPECT_TRUE(session.epochs[2].at("train_loss").is_null());
}

TEST(HostAnswers, KeepsAHundredWarningsAndTheResultThatIsOne) {
    boost::json::array many;
    many.resize(150, "look");
    const boost::json::value told{{"status", "completed"}, {"warnings", many}, {"result", {{"a", 1}}}};
    const auto session = read_session(told).value();
    EXPECT_EQ(session.warnings.size(), 100U);
    EXPECT_EQ(session.result, (boost::json::object{{"a", 1}}));
    for (const char* const none : {R"({"status": "completed", "result": null})",
                                   R"({"status": "completed", "result": [1]})", R"({"status": "completed"})"}) {
        EXPECT_FALSE(read_text(none).result) << none;
    }
}

TEST(HostAnswers, KnowsTheEpochOfAMetricThatSaysOne) {
    EXPECT_EQ(epoch_of({{"epoch", 3}}), 3);
    EXPECT_EQ(epoch_of({{"epoch", 3.0}}), 3);
    for (const boost::json::value& none :
         {boost::json::value("3"), boost::json::value(nullptr), boost::json::value(1.5), boost::json::value(1e300)}) {
        EXPECT_FALSE(epoch_of({{"epoch", none}})) << none;
    }
    EXPECT_FALSE(epoch_of({}));
}

TEST(HostAnswers, MakesNoFigureOfATextAndCountsNoEpochThatWasNotTold) {
    const auto session = read_text(R"({"status": "completed", "metrics": {"train_loss": ["low"], "val_loss": 0.5}})");
    const auto result = result_of_table(session, build_training_context(small_request()).value());
    EXPECT_TRUE(result.at("training_metrics").at("epochs_completed").is_null());
    EXPECT_TRUE(result.at("training_metrics").at("final_train_loss").is_null());
    EXPECT_TRUE(result.at("history").at(0).at("train_loss").is_null());
}

}  // namespace
}  // namespace ktrdr
