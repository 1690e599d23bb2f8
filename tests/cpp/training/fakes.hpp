#pragma once

#include <gtest/gtest.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include <condition_variable>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <ktrdr/base/checksum.hpp>
#include <ktrdr/base/manual.hpp>
#include <ktrdr/operations/registry.hpp>
#include <ktrdr/training/bar_provider.hpp>
#include <ktrdr/training/strategy.hpp>
#include <ktrdr/training/trainer.hpp>

#include "held_calendars.hpp"
#include "temporary_folder.hpp"

namespace ktrdr::test {

/// Daily bars of a random walk.
inline Bars walk(std::size_t count, unsigned seed) {
    std::mt19937 generator(seed);
    std::normal_distribution<double> step(0, 0.02);
    Bars bars;
    const std::chrono::nanoseconds first = std::chrono::sys_days{std::chrono::year{2020} / 1 / 1}.time_since_epoch();
    double price = 100;
    for (std::size_t i = 0; i < count; ++i) {
        price *= std::exp(step(generator));
        bars.push_back((first + static_cast<std::int64_t>(i) * std::chrono::hours{24}).count(), price, price, price,
                       price, 1);
    }
    return bars;
}

/// Bars by symbol; `before` runs first, on the training thread.
class FakeBars final : public BarProvider {
public:
    std::map<std::string, BarsPtr> series{};
    std::function<void(const std::string& symbol)> before{};
    std::vector<TimeRange> asked{};
    /// Of all series.
    std::vector<BarBreak> known_breaks{};
    SessionCalendarPtr calendar{};
    GridOptions grid_options{};
    /// Whether it tells what it has without being read; then several threads may ask it.
    bool stamps{false};

    void add(const std::string& symbol, std::size_t count, unsigned seed = 1) {
        series[symbol] = std::make_shared<const Bars>(walk(count, seed));
    }
    Result<BarGrid> grid(const std::string&, const Timeframe& timeframe) override {
        return BarGrid::make(timeframe, calendar, grid_options);
    }
    Result<BarsPtr> bars(const std::string& symbol, const Timeframe&, TimeRange range,
                         const CancellationToken&) override {
        if (before) {
            before(symbol);
        }
        {
            const std::scoped_lock lock(mutex_);
            asked.push_back(range);
        }
        const auto found = series.find(symbol);
        if (found == series.end()) {
            return fail(Errc::no_data, "nothing is stored of " + symbol, {{"symbol", symbol}});
        }
        return std::make_shared<const Bars>(found->second->slice(range));
    }
    Result<std::optional<BarsStamp>> stamp(const std::string& symbol, const Timeframe&, TimeRange range) override {
        const auto found = series.find(symbol);
        if (!stamps || found == series.end()) {
            return std::optional<BarsStamp>{};
        }
        const Bars inside = found->second->slice(range);
        Checksum sum;
        sum.add_bytes(symbol);
        for (const auto* const column : {&inside.open, &inside.close}) {
            sum.add(std::span<const double>(*column));
        }
        return std::optional(BarsStamp{inside.size(), sum.text()});
    }
    Result<std::vector<BarBreak>> breaks(const std::string& symbol, const Timeframe& timeframe,
                                         TimeRange range) override {
        std::vector<BarBreak> inside;
        for (const BarBreak& one : known_breaks) {
            if (one.symbol == symbol && one.timeframe == timeframe && range.contains(one.at)) {
                inside.push_back(one);
            }
        }
        return inside;
    }

private:
    std::mutex mutex_{};
};

/// Pretends to learn: tells every batch and epoch, always predicts hold, polls the token as a real one does. Its
/// checkpoints say only how many epochs are done; it goes on behind them.
class FakeTrainer final : public Trainer {
public:
    std::int64_t batches{4};
    /// Runs before each batch is told.
    std::function<void(std::int64_t epoch, std::int64_t batch)> before_batch{};
    std::function<Result<void>(const TrainerInput&)> refuse{};
    /// Runs when the epochs are over.
    std::function<void()> at_end{};
    /// What it fails with before the next batch.
    std::optional<Error> failure{};
    /// Of several at once any; look at it when all have ended.
    TrainerInput last{};

    Result<TrainedModel> train(const TrainerInput& input, TrainerEvents& events,
                               const CancellationToken& token) override {
        {
            const std::scoped_lock lock(mutex_);
            last = input;
        }
        if (refuse) {
            if (auto accepted = refuse(input); !accepted) {
                return accepted.error();
            }
        }
        TrainedModel model;
        const std::int64_t done = input.resume == nullptr ? 0 : input.resume->state.at("epochs").as_int64();
        for (std::int64_t epoch = done + 1; epoch <= input.options.epochs; ++epoch) {
            for (std::int64_t batch = 1; batch <= batches; ++batch) {
                if (before_batch) {
                    before_batch(epoch, batch);
                }
                if (failure) {
                    return *failure;
                }
                if (auto go = token.check("epoch " + std::to_string(epoch)); !go) {
                    if (input.checkpoints.on_cancel) {
                        events.on_checkpoint(checkpoint(epoch - 1));
                    }
                    return go.error();
                }
                events.on_batch(epoch, batch, batches, 1.0 / static_cast<double>(epoch));
            }
            const auto loss = 1.0 / static_cast<double>(epoch);
            model.history.push_back({epoch, loss, 0.5, loss + 0.1, 0.4, input.options.learning_rate, true});
            events.on_epoch(model.history.back());
            if (input.checkpoints.epochs > 0 && epoch % input.checkpoints.epochs == 0) {
                events.on_checkpoint(checkpoint(epoch));
            }
        }
        events.on_evaluation();
        if (at_end) {
            at_end();
        }
        if (input.checkpoints.on_cancel) {
            model.checkpoint = checkpoint(input.options.epochs);
        }
        model.best_epoch = input.options.epochs;
        model.train_seconds = 6;
        const auto inputs = static_cast<std::int64_t>(input.model.inputs);
        model.parameters = {{"0.weight", {3, inputs}, std::vector<float>(3 * input.model.inputs)},
                            {"0.bias", {3}, {0, 1, 0}}};
        return model;
    }

private:
    static TrainerCheckpoint checkpoint(std::int64_t epochs) {
        return {{{"0.weight", {2}, {1, 2}}}, {{"epochs", epochs}}};
    }

    std::mutex mutex_{};
};

/// Runs each function on a thread of its own, joined at the end.
class ThreadExecutor final : public Executor {
public:
    ~ThreadExecutor() override { join(); }
    void post(Function function) override { threads_.emplace_back(std::move(function)); }
    [[nodiscard]] bool runs_here() const override { return false; }
    void join() {
        for (std::thread& thread : threads_) {
            if (thread.joinable()) {
                thread.join();
            }
        }
    }

private:
    std::vector<std::thread> threads_{};
};

/// Where one thread waits for another.
class Gate final {
public:
    void open() {
        {
            const std::scoped_lock lock(mutex_);
            open_ = true;
        }
        opened_.notify_all();
    }
    void wait() {
        std::unique_lock lock(mutex_);
        opened_.wait(lock, [this] { return open_; });
    }

private:
    std::mutex mutex_{};
    std::condition_variable opened_{};
    bool open_{false};
};

/// A small strategy on AAPL and MSFT; change it before it is parsed.
inline boost::json::object strategy_json() {
    return boost::json::parse(R"({
        "name": "small",
        "training_data": {
            "symbols": {"mode": "multi", "list": ["AAPL", "MSFT"]},
            "timeframes": {"mode": "single", "list": ["1d"], "base_timeframe": "1d"},
            "history_required": 0},
        "indicators": [
            {"name": "rsi", "feature_id": "rsi_5", "source": "close", "params": {"period": 5}},
            {"name": "macd", "feature_id": "macd", "params": {"fast_period": 3, "slow_period": 6, "signal_period": 3}}],
        "fuzzy_sets": {
            "rsi_5": {"low": {"type": "triangular", "parameters": [0, 0, 50]},
                      "high": {"type": "triangular", "parameters": [50, 100, 100]}},
            "macd.histogram": {"up": {"type": "trapezoidal", "parameters": [0, 1, 100, 100]}}},
        "model": {"type": "mlp",
            "architecture": {"hidden_layers": [8, 4], "activation": "tanh", "dropout": 0.1},
            "training": {"epochs": 3, "batch_size": 16, "seed": 7,
                         "early_stopping": {"patience": 2, "min_delta": 0.001, "monitor": "val_accuracy"}}},
        "training": {"labels": {"source": "forward_return", "threshold": 0.01, "label_lookahead": 3},
                     "data_split": {"train": 0.6, "validation": 0.2, "test": 0.2}}})")
        .as_object();
}

/// Where trainings run that have a clock and an io thread of the test's own.
struct TrainingPlace : ::testing::Test {
    TemporaryFolder folder{};
    ManualClock clock{};
    ManualExecutor io{};
    ManualTimerQueue timers{clock};
    OperationRegistry registry{io, timers, clock};
    std::shared_ptr<FakeBars> bars = std::make_shared<FakeBars>();
};

}  // namespace ktrdr::test
