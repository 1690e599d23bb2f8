// docs/guide/your-own-service.md quotes this file.
#include <gtest/gtest.h>

#include <algorithm>

#include <ktrdr/base/manual.hpp>
#include <ktrdr/orchestrator/service_orchestrator.hpp>

namespace ktrdr {
namespace {

class WordCounter final : public ktrdr::ServiceOrchestrator {
public:
    using ServiceOrchestrator::ServiceOrchestrator;
    std::string service_name() const override { return "Word counter"; }
    std::string default_host_url() const override { return ""; }
    std::string env_var_prefix() const override { return "WORDS"; }

    ktrdr::Result<std::string> count(std::vector<std::string> texts) {
        ktrdr::OperationWork work = [texts](auto operation, auto done) {
            const auto total = static_cast<std::int64_t>(texts.size());
            std::int64_t words = 0;
            for (std::int64_t number = 1; number <= total; ++number) {
                const std::string& text = texts[static_cast<std::size_t>(number - 1)];
                words += 1 + std::count(text.begin(), text.end(), ' ');
                operation->progress().outer().store({number, total, number, total, {}});
                if (operation->token().is_cancelled()) {
                    return done(ktrdr::failed(operation->token().check("counting words").error()));
                }
            }
            done(std::any(words));
        };
        return start_managed_operation("Counting", "count", std::move(work));
    }
};

class Guide : public testing::Test {
protected:
    ManualClock clock_{};
    ManualExecutor io_{};
    ManualTimerQueue timers_{clock_};
    OperationRegistry registry_{io_, timers_, clock_};
    WordCounter counter_{registry_, io_, Env{}};
};

TEST_F(Guide, CountsWords) {
    const auto id = counter_.count({"one two three", "four five"}).value();
    const auto operation = registry_.find(id);
    io_.run();
    EXPECT_EQ(std::any_cast<std::int64_t>(operation->result().value()), 5);
    EXPECT_EQ(operation->record().progress->percentage, 100);
    EXPECT_EQ(operation->record().name, "Counting");
}

TEST_F(Guide, StopsWhenItIsCancelled) {
    const auto id = counter_.count({"one", "two"}).value();
    const auto operation = registry_.find(id);
    operation->request_cancel({CancelCode::user, "enough", "test"});
    io_.run();
    EXPECT_EQ(operation->status(), OperationStatus::cancelled);
}

}  // namespace
}  // namespace ktrdr
