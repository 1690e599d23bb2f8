// The source of bars of docs/guide/add-a-source.md, which quotes the class.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <ktrdr/coroutines/run_on.hpp>
#include <ktrdr/data/bar_source.hpp>

#include "executors.hpp"
#include "temporary_folder.hpp"
#include "times.hpp"

namespace ktrdr {
namespace {

/// Daily bars from files `<folder>/<symbol>.csv`, a line a bar, oldest first: `2024-01-02,99.5,101,98,100.5,12000`.
class LineSource final : public BarSource {
public:
    /// `compute` must outlive it: files are read there, never on the io thread.
    LineSource(std::filesystem::path folder, Executor& compute) : folder_(std::move(folder)), compute_(compute) {}

    std::string provider() const override { return "CSV"; }
    SourceLimits describe(const Timeframe&) const override {
        return {.max_span = std::chrono::days{3650}, .max_in_flight = 2};
    }

    boost::asio::awaitable<Result<Contract>> validate_symbol(std::string symbol, Timeframe timeframe,
                                                             SourceCall) override {
        if (timeframe.name() != "1d" || !std::filesystem::exists(file_of(symbol))) {
            co_return fail(Errc::symbol_unknown, fmt::format("{} has no {} bars of {}: put {} there", folder_.string(),
                                                             timeframe.name(), symbol, file_of(symbol).string()));
        }
        co_return Contract{};
    }

    boost::asio::awaitable<Result<std::optional<UtcTime>>> first_timestamp(std::string, Timeframe,
                                                                           SourceCall) override {
        co_return std::optional<UtcTime>{};  // It cannot say; the load asks for the whole range then.
    }

    boost::asio::awaitable<Result<SourceAnswer>> fetch(std::string symbol, Timeframe, TimeRange segment,
                                                       SourceCall call) override {
        std::function<Result<SourceAnswer>()> work = [file = file_of(symbol), segment, token = call.token] {
            return read(file, segment, token);
        };
        co_return co_await run_on<SourceAnswer>(compute_, std::move(work));
    }

private:
    std::filesystem::path file_of(const std::string& symbol) const { return folder_ / (symbol + ".csv"); }

    static Result<SourceAnswer> read(const std::filesystem::path& file, TimeRange segment,
                                     const CancellationToken& token) {
        Bars bars;
        std::ifstream lines(file);
        for (std::string line; std::getline(lines, line);) {
            if (auto alive = token.check("reading " + file.string()); !alive) {
                return alive.error();
            }
            std::string text = line;
            std::ranges::replace(text, ',', ' ');
            std::istringstream fields(text);
            std::string date;
            std::array<double, 5> values{};
            fields >> date >> values[0] >> values[1] >> values[2] >> values[3] >> values[4];
            const auto start = parse_time("date", date);
            if (!start || fields.fail()) {
                return fail(Errc::protocol, fmt::format("{}: '{}' is no bar", file.string(), line));
            }
            if (segment.contains(*start)) {
                bars.push_back(start->time_since_epoch().count(), values[0], values[1], values[2], values[3],
                               values[4]);
            }
        }
        return SourceAnswer(std::move(bars));
    }

    const std::filesystem::path folder_;
    Executor& compute_;
};

class LineSourceTest : public testing::Test {
protected:
    LineSourceTest() { std::ofstream(folder_.path() / "AAPL.csv") << text_; }

    template <class Value>
    Result<Value> run(boost::asio::awaitable<Result<Value>> question) {
        std::optional<Result<Value>> answer;
        boost::asio::co_spawn(io_, std::move(question), [&](const std::exception_ptr& thrown, Result<Value> given) {
            EXPECT_FALSE(thrown);
            answer.emplace(std::move(given));
        });
        io_.restart();
        io_.run();
        return *answer;
    }

    const std::string text_{"2024-01-02,1,2,0.5,1.5,100\n2024-01-03,2,3,1.5,2.5,200\n2024-01-04,3,4,2.5,3.5,300\n"};
    const Timeframe day_ = Timeframe::parse("1d").value();
    test::TemporaryFolder folder_{};
    boost::asio::io_context io_{1};
    IoExecutor io_executor_{io_};
    ManualClock clock_{at("2024-06-03")};
    ManualTimerQueue timers_{clock_};
    ThreadExecutor compute_;
    LineSource source_{folder_.path(), compute_};
};

TEST_F(LineSourceTest, GivesTheBarsThatStartInsideTheSegment) {
    const auto answer = run(source_.fetch("AAPL", day_, range("2024-01-03", "2024-01-04"), {}));
    ASSERT_TRUE(answer) << answer.error().message;
    const Bars& bars = answer->bars;
    ASSERT_EQ(bars.size(), 1U);
    EXPECT_EQ(bars.start_of(0), at("2024-01-03"));
    EXPECT_EQ(bars.close.front(), 2.5);
    EXPECT_EQ(bars.volume.front(), 200);
    EXPECT_TRUE(run(source_.fetch("AAPL", day_, range("2025-01-03", "2025-01-04"), {})).value().bars.empty());
}

TEST_F(LineSourceTest, KnowsTheSymbolsThatHaveAFile) {
    EXPECT_TRUE(run(source_.validate_symbol("AAPL", day_, {})));
    EXPECT_EQ(run(source_.validate_symbol("NOPE", day_, {})).error().code, Errc::symbol_unknown);
    EXPECT_EQ(run(source_.first_timestamp("AAPL", day_, {})).value(), std::nullopt);
}

TEST_F(LineSourceTest, RefusesALineThatIsNoBarAndNamesIt) {
    std::ofstream(folder_.path() / "AAPL.csv", std::ios::app) << "2024-01-05,3,four\n";
    const auto bars = run(source_.fetch("AAPL", day_, range("2024-01-01", "2025-01-01"), {}));
    EXPECT_EQ(bars.error().code, Errc::protocol);
    EXPECT_NE(bars.error().message.find("'2024-01-05,3,four'"), std::string::npos) << bars.error().message;
}

TEST_F(LineSourceTest, StopsWhenItsTokenIsCancelled) {
    SourceCall call{.token = CancellationToken::create(io_executor_, timers_, clock_)};
    call.token.cancel(CancelReason{.text = "enough"});
    EXPECT_EQ(run(source_.fetch("AAPL", day_, range("2024-01-01", "2025-01-01"), call)).error().code, Errc::cancelled);
}

}  // namespace
}  // namespace ktrdr
