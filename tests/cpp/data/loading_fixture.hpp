#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <data/fakes.hpp>
#include <ktrdr/data/data_loading_job.hpp>
#include <ktrdr/data/load_request.hpp>

namespace ktrdr {

inline constexpr TimeRange always{UtcTime::min(), UtcTime::max()};

class LoadingTest : public testing::Test {
protected:
    LoadingTest() = default;
    /// Over a database that is there already, or of another folder.
    explicit LoadingTest(const std::filesystem::path& file) : store_(BarStore::open(file).value()) {}

    struct Load {
        std::shared_ptr<Operation> operation;
        std::unique_ptr<DataLoadingJob> job;
        std::optional<Result<BarsPtr>> result;
    };

    /// Begin a load on the io context; `finish` runs it.
    std::shared_ptr<Load> begin(TimeRange asked, LoadMode mode = LoadMode::full, std::string symbol = "AAPL",
                                bool refresh = false) {
        auto load = std::make_shared<Load>();
        load->operation = Operation::make(OperationSpec{.type = "data_load", .id = "op_" + std::to_string(++loads_)},
                                          CancellationToken::create(io_executor_, timers_, clock_), clock_);
        SeriesKey key = key_;
        key.symbol = std::move(symbol);
        ProgressTree& progress = load->operation->progress();
        progress.set_renderer(std::make_shared<DataProgressRenderer>());
        progress.set_steps(load_steps(mode));
        progress.set_context({{"symbol", key.symbol}, {"timeframe", key.timeframe.name()}, {"mode", to_string(mode)}});
        EXPECT_TRUE(load->operation->start());
        load->job = std::make_unique<DataLoadingJob>(
            LoadTask{key, mode, asked, refresh},
            LoadMeans{compute_, store_executor_, clock_, store_, mode == LoadMode::local ? nullptr : source_},
            load->operation);
        boost::asio::co_spawn(io_, load->job->run(), [load](const std::exception_ptr& thrown, Result<BarsPtr> result) {
            EXPECT_FALSE(thrown);
            load->result.emplace(std::move(result));
        });
        operation_ = load->operation;
        return load;
    }

    void finish() {
        io_.restart();
        io_.run();
        // What the source has said of the contract is in the series' key from then on.
        if (const auto facts = store_->facts(key_)) {
            if (const auto named = completed(key_, {}, facts->contract)) {
                key_ = *named;
            }
        }
    }

    Result<BarsPtr> load(TimeRange asked, LoadMode mode = LoadMode::full, std::string symbol = "AAPL",
                         bool refresh = false) {
        const auto one = begin(asked, mode, std::move(symbol), refresh);
        finish();
        return *one->result;
    }

    [[nodiscard]] Bars stored() const { return store_->read(key_, always).value(); }
    [[nodiscard]] std::vector<LedgerEntry> ledger() const { return store_->facts(key_).value().ledger; }

    test::TemporaryFolder folder_{};
    ManualClock clock_{at("2024-06-03T15:30")};
    boost::asio::io_context io_{1};
    IoExecutor io_executor_{io_};
    ManualTimerQueue timers_{clock_};
    std::shared_ptr<BarStore> store_ = BarStore::open(folder_.path() / "ktrdr.db").value();
    std::shared_ptr<FakeSource> source_ = std::make_shared<FakeSource>();
    ThreadExecutor compute_;
    ThreadExecutor store_executor_;
    SeriesKey key_{.provider = "IB", .symbol = "AAPL", .timeframe = Timeframe::parse("1d").value()};
    /// Nine years and a bit: five segments of two years at most.
    const TimeRange decade_ = range("2005-01-01", "2014-01-01");
    const std::vector<TimeRange> segments_{range("2005-01-01", "2007-01-01"), range("2007-01-01", "2008-12-31"),
                                           range("2008-12-31", "2010-12-31"), range("2010-12-31", "2012-12-30"),
                                           range("2012-12-30", "2014-01-01")};
    std::shared_ptr<Operation> operation_;
    int loads_{0};
};

}  // namespace ktrdr
