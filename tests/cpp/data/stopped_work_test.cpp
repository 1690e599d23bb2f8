// Every work of a manager is cancelled before each of its turns: what was not begun by then is not begun any more, and
// the file holds what it held, or what one write more has made of it that was handed over before.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include <boost/asio/io_context.hpp>

#include <data/fakes.hpp>
#include <data/manager_fixture.hpp>
#include <ktrdr/data/data_manager.hpp>

#include "soak.hpp"

namespace ktrdr {
namespace {

namespace fs = std::filesystem;
using std::chrono::days;

/// Runs functions as turns of the io thread, and knows how many were handed over and begun.
class Turns final : public Executor {
public:
    explicit Turns(Executor& io) : io_(io) {}
    void post(Function function) override {
        ++posted;
        io_.post([this, function = std::move(function)] {
            ++begun;
            function();
        });
    }
    [[nodiscard]] bool runs_here() const override { return io_.runs_here(); }

    std::size_t posted{0};
    std::size_t begun{0};

private:
    Executor& io_;
};

class StoppedWork : public testing::Test {
protected:
    StoppedWork() {
        source_->limits = {.max_span = days{40}, .max_in_flight = 2};
        source_->first = at("2019-12-01");
        source_->contract = {"crypto", "PAXOS", "USD"};
    }

    /// A file of its own, with a hundred days of a series and a change that can be undone.
    void open(int number) {
        folder_ = root_.path() / std::to_string(number);
        fs::create_directories(folder_);
        auto storage = Storage::open(folder_ / "ktrdr.db", {BarStore::schema()}, records_, clock_).value();
        store_ = BarStore::open(folder_ / "ktrdr.db").value();
        registry_.attach(storage->operations());
        manager_ = std::make_shared<DataManager>(
            DataServices{io_, io_executor_, timers_, clock_, compute_, writes_, registry_}, std::move(storage), source_,
            Env{});
        for (const double factor : {1.0, 2.0}) {
            const auto stored =
                manager_->store_bars({.symbol = "OWN", .timeframe = "1d"}, view(own(factor)), {}).value();
            run();
            ASSERT_EQ(stored->status(), OperationStatus::completed);
        }
        std::ofstream(folder_ / "given.csv") << csv();
    }

    void close() {
        manager_->close();
        run();
        manager_.reset();
        store_.reset();
    }

    static BarsView view(Bars bars) { return BarsView(std::make_shared<const Bars>(std::move(bars))); }

    static Bars own(double factor) {
        Bars bars = daily_bars({at("2020-01-01"), at("2020-04-10")});
        for (auto* column : {&bars.open, &bars.high, &bars.low, &bars.close}) {
            for (double& price : *column) {
                price *= factor;
            }
        }
        return bars;
    }

    static std::string csv() {
        std::string text = "timestamp,open,high,low,close,volume\n";
        for (int day = 10; day < 30; ++day) {
            text += "2021-01-" + std::to_string(day) + "T00:00:00Z,1.0,2.0,0.5,1.5,100.0\n";
        }
        return text;
    }

    void run() {
        do {
            io_.restart();
            io_.run();
        } while (!registry_.live().empty());
    }

    /// Bars, ledger and changes of every series, and the files of the folder.
    [[nodiscard]] std::string state() const {
        std::string text;
        const auto all = store_->list().value();
        for (const StoredSeries& one : all) {
            text += to_string(one.key) + ":";
            const Bars bars = store_->read(one.key, {UtcTime::min(), UtcTime::max()}).value();
            for (std::size_t i = 0; i < bars.size(); ++i) {
                text += " " + std::to_string(bars.time[i]) + "=" + std::to_string(bars.open[i]);
            }
            const auto facts = store_->facts(one.key).value();
            for (const LedgerEntry& entry : facts.ledger) {
                text += " " + std::string(to_string(entry.outcome)) +
                        std::to_string(entry.range.start.time_since_epoch().count()) + "-" +
                        std::to_string(entry.range.end.time_since_epoch().count());
            }
            text += " changes " + std::to_string(store_->changes(one.key)->size()) + "\n";
        }
        for (const auto& file : fs::directory_iterator(folder_)) {
            const std::string name = file.path().filename().string();
            text += name.starts_with("ktrdr.db-") ? "" : name + "\n";
        }
        return text;
    }

    using Begin = std::function<Result<std::shared_ptr<Operation>>(DataManager&)>;

    /// Cancel before the so-manieth turn; false where it had ended by then.
    bool cancel_before(int turn, const Begin& begin, std::set<std::string>& steps) {
        open(files_++);
        const auto operation = begin(*manager_).value();
        for (int i = 0; i < turn && !is_terminal(operation->status()); ++i) {
            io_.restart();
            io_.run_one();
        }
        bool in_time = !is_terminal(operation->status());
        if (in_time) {
            steps.insert(operation->progress().snapshot().step_name);
            const std::string before = state();
            const std::size_t posted = compute_.posted + writes_.posted;
            const std::size_t queued = writes_.posted - writes_.begun;
            // What is done, and is only told yet, cannot be cancelled.
            in_time = operation->request_cancel({.text = "enough"});
            run();
            EXPECT_EQ(compute_.posted + writes_.posted, posted) << "a piece of work was begun after the cancel";
            EXPECT_EQ(operation->status(), in_time ? OperationStatus::cancelled : OperationStatus::completed);
            if (queued == 0) {
                EXPECT_EQ(state(), before);
            }
        } else {
            run();
            EXPECT_EQ(operation->status(), OperationStatus::completed);
        }
        EXPECT_THAT(store_->verify()->damage, testing::IsEmpty());
        close();
        return in_time;
    }

    void expect_stops(const char* name, const Begin& begin, const std::set<std::string>& wanted) {
        std::set<std::string> steps;
        bool in_time = true;
        for (int turn = 0; in_time; ++turn) {
            in_time = cancel_before(turn, begin, steps);
            ASSERT_FALSE(HasFailure()) << name << " cancelled before turn " << turn;
        }
        EXPECT_THAT(steps, testing::IsSupersetOf(wanted)) << name;
    }

    test::TemporaryFolder root_{};
    fs::path folder_{};
    ManualClock clock_{at("2024-06-03T15:30")};
    boost::asio::io_context io_{1};
    IoExecutor io_executor_{io_};
    ManualTimerQueue timers_{clock_};
    OperationRegistry registry_{io_executor_, timers_, clock_};
    Turns compute_{io_executor_};
    Turns writes_{io_executor_};
    Turns records_{io_executor_};
    std::shared_ptr<FakeSource> source_ = std::make_shared<FakeSource>();
    std::shared_ptr<DataManager> manager_{};
    std::shared_ptr<BarStore> store_{};
    int files_{0};
};

TEST_F(StoppedWork, BeginsNoFurtherPieceOfALoad) {
    for (const LoadChecks checks : {LoadChecks{}, LoadChecks{.validate = true, .repair = true}}) {
        expect_stops("load",
                     [checks](DataManager& manager) {
                         return manager.load_data({.symbol = "AAPL",
                                                   .timeframe = "1d",
                                                   .start_date = "2020-01-01",
                                                   .end_date = "2020-06-30",
                                                   .mode = "full",
                                                   .checks = checks},
                                                  {});
                     },
                     {"validate symbol", "first timestamp", "read local", "loading segments", "read bars"});
    }
}

TEST_F(StoppedWork, BeginsNoFurtherPieceOfAReadWithChecks) {
    expect_stops("read",
                 [](DataManager& manager) {
                     return manager.load_data(
                         {.symbol = "OWN", .timeframe = "1d", .checks = {.validate = true, .repair = true}}, {});
                 },
                 {});
}

TEST_F(StoppedWork, BeginsNoFurtherPieceOfWhatIsDoneWithStoredBars) {
    expect_stops("export",
                 [this](DataManager& manager) {
                     return manager.export_csv({.symbol = "OWN", .timeframe = "1d", .path = folder_ / "out.csv"}, {});
                 },
                 {});
    expect_stops("import",
                 [this](DataManager& manager) {
                     return manager.import_csv({.file = folder_ / "given.csv", .symbol = "OWN", .timeframe = "1d"}, {});
                 },
                 {});
    expect_stops("resample",
                 [](DataManager& manager) {
                     return manager.resample({.symbol = "OWN", .from = "1d", .to = "1w", .store = true}, {});
                 },
                 {});
    expect_stops("verify", [](DataManager& manager) { return manager.verify({}, {}); }, {});
    expect_stops("compact", [](DataManager& manager) { return manager.compact({}, {}); }, {});
}

/// On threads of their own: what a long work counts when its cancel has been called, and what it has counted at last.
class StoppedPieces : public ManagerFixture {
protected:
    void SetUp() override {
        manager_ = open();
        Bars bars;
        for (std::int64_t i = 0; i < minutes; ++i) {
            const double price = 100 + static_cast<double>(i % 7);
            bars.push_back((at("2020-01-01") + std::chrono::minutes{i}).time_since_epoch().count(), price, price + 1,
                           price - 1, price, 1000);
        }
        const BarsView view(std::make_shared<const Bars>(std::move(bars)));
        ASSERT_TRUE(manager_->store_bars({.symbol = "OWN", .timeframe = "1m"}, view, {}));
        finish();
        given_ = folder_.path() / "given.csv";
        ASSERT_TRUE(manager_->export_csv({.symbol = "OWN", .timeframe = "1m", .path = given_}, {}));
        finish();
    }

    /// `piece`: what it counts at once, at most.
    void expect_stops(const std::function<Result<std::shared_ptr<Operation>>()>& begin, std::int64_t all,
                      std::int64_t piece) {
        int stopped = 0;
        // Further on where each had ended before its cancel: who else uses the machine says how often that is.
        constexpr int parts = 8;
        for (int part = 0; part < parts || (stopped == 0 && part < 50 * parts); ++part) {
            const std::size_t before = manager_->series()->size();
            const auto operation = begin().value();
            const auto counted = [&] { return operation->progress().outer().load().current; };
            run_until([&] { return counted() >= all * (part % parts) / 10 || is_terminal(operation->status()); });
            const bool in_time = operation->request_cancel({.text = "enough"});
            const std::int64_t seen = counted();
            finish();
            if (in_time && operation->status() == OperationStatus::cancelled) {
                ++stopped;
                EXPECT_LE(counted(), seen + piece) << part;
                EXPECT_EQ(manager_->series()->size(), before) << part;
            }
        }
        EXPECT_GE(stopped, 1);
    }

    static constexpr std::int64_t minutes = 300'000;
    std::shared_ptr<DataManager> manager_{};
    std::filesystem::path given_{};
};

TEST_F(StoppedPieces, OfAnImportAreNoMoreThanTheOneInWork) {
    const auto size = static_cast<std::int64_t>(std::filesystem::file_size(given_));
    expect_stops([this] { return manager_->import_csv({.file = given_, .symbol = "OTHER", .timeframe = "1m"}, {}); },
                 size, std::int64_t{2} * 256 * 1024);
}

TEST_F(StoppedPieces, OfAnExportAreNoMoreThanTheOneInWork) {
    int number = 0;
    expect_stops(
        [this, &number] {
            return manager_->export_csv({.symbol = "OWN",
                                         .timeframe = "1m",
                                         .path = folder_.path() / ("out" + std::to_string(number++) + ".csv")},
                                        {});
        },
        minutes, std::int64_t{16} * 1024);
}

TEST_F(StoppedPieces, OfALookForDamageAreNoMoreThanTheOneInWork) {
    expect_stops([this] { return manager_->verify({}, {}); }, minutes / 1024, 2);
}

}  // namespace
}  // namespace ktrdr
