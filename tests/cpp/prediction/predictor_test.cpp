#include <ktrdr/prediction/predictor.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <random>

#include <ktrdr/models/safetensors.hpp>
#include <ktrdr/prediction/prediction_stream.hpp>

#include "soak.hpp"
#include "temporary_folder.hpp"

namespace ktrdr {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

using ::testing::HasSubstr;

/// Bars of a random walk, of one length, from a point in time on; some near the end have no price.
BarsPtr walk_bars(std::size_t count, std::chrono::minutes length, unsigned seed, bool holes = false) {
    std::mt19937 random(seed);
    std::normal_distribution<double> step(0, 0.01);
    auto bars = std::make_shared<Bars>();
    const std::chrono::nanoseconds first = std::chrono::sys_days{std::chrono::year{2020} / 1 / 1}.time_since_epoch();
    double price = 100;
    for (std::size_t i = 0; i < count; ++i) {
        const double open = price;
        price *= std::exp(step(random));
        const double shown = holes && i % 97 == 96 && 20 * i > 19 * count ? std::nan("") : price;
        bars->push_back((first + static_cast<std::int64_t>(i) * std::chrono::nanoseconds{length}).count(), open,
                        std::max(open, price), std::min(open, price), shown, 1000 + static_cast<double>(i % 7));
    }
    return bars;
}

json::object strategy(const std::vector<std::string>& timeframes, int lags, std::string_view activation,
                      bool more = false) {
    json::object text = json::parse(R"({
        "name": "small",
        "training_data": {"symbols": {"mode": "single", "list": ["AAPL"]}, "timeframes": {}, "history_required": 0},
        "indicators": [
            {"name": "rsi", "feature_id": "rsi_5", "source": "close", "params": {"period": 5}},
            {"name": "macd", "feature_id": "macd", "params": {"fast_period": 3, "slow_period": 6, "signal_period": 3}}],
        "fuzzy_sets": {
            "rsi_5": {"low": {"type": "triangular", "parameters": [0, 0, 50]},
                      "high": {"type": "triangular", "parameters": [50, 100, 100]}},
            "macd.histogram": {"up": {"type": "gaussian", "parameters": [0.2, 0.5]}}},
        "model": {"type": "mlp", "architecture": {"hidden_layers": [8, 4]}, "features": {},
                  "training": {"epochs": 3, "batch_size": 16, "seed": 7}},
        "training": {"labels": {"source": "forward_return", "threshold": 0.01, "label_lookahead": 3},
                     "data_split": {"train": 0.6, "validation": 0.2, "test": 0.2}}})")
                            .as_object();
    auto& data = text["training_data"].as_object();
    data["timeframes"] = {{"mode", timeframes.size() > 1 ? "multi_timeframe" : "single"},
                          {"list", json::array(timeframes.begin(), timeframes.end())},
                          {"base_timeframe", timeframes.front()}};
    auto& model = text["model"].as_object();
    model["architecture"].as_object()["activation"] = activation;
    model["features"] = {{"lookback_periods", lags}, {"include_price_context", more}, {"scale_features", more}};
    return text;
}

struct SavedModels : ::testing::Test {
    test::TemporaryFolder folder{};
    int saved{0};

    static void write(const fs::path& path, std::string_view text) { std::ofstream(path, std::ios::binary) << text; }
    static std::vector<NamedTensor> weights(const std::vector<std::int64_t>& widths) {
        std::mt19937 random(3);
        std::uniform_real_distribution<float> value(-1, 1);
        std::vector<NamedTensor> tensors;
        for (std::size_t layer = 0; layer + 1 < widths.size(); ++layer) {
            for (const auto& [kind, shape] : {std::pair{"weight", std::vector{widths[layer + 1], widths[layer]}},
                                              std::pair{"bias", std::vector{widths[layer + 1]}}}) {
                std::size_t count = 1;
                for (const std::int64_t size : shape) {
                    count *= static_cast<std::size_t>(size);
                }
                NamedTensor tensor{fmt::format("{}.{}", 3 * layer, kind), shape, std::vector<float>(count)};
                std::ranges::generate(tensor.values, [&] { return value(random); });
                tensors.push_back(std::move(tensor));
            }
        }
        return tensors;
    }
    static json::value scaling(std::size_t columns) {
        json::array mean;
        json::array deviation;
        for (std::size_t column = 0; column < columns; ++column) {
            mean.emplace_back(0.1 * static_cast<double>(column));
            deviation.emplace_back(0.5 + static_cast<double>(column));
        }
        return {{"mean", std::move(mean)}, {"deviation", std::move(deviation)}};
    }
    /// A model's folder as a training leaves it.
    fs::path save(const std::vector<std::string>& timeframes = {"1d"}, int lags = 0,
                  std::string_view activation = "relu", bool more = false) {
        return save(timeframes, strategy(timeframes, lags, activation, more), more);
    }
    fs::path save(const std::vector<std::string>& timeframes, const json::object& source, bool more = false) {
        const Strategy parsed = Strategy::parse(source).value();
        std::vector<Timeframe> list;
        for (const std::string& name : timeframes) {
            list.push_back(Timeframe::parse(name).value());
        }
        const auto names = feature_names(parsed.features, list);
        const fs::path path = folder.path() / fmt::format("model_{}", ++saved);
        fs::create_directories(path);
        const json::array shown(timeframes.begin(), timeframes.end());
        write(path / "config.json",
              json::serialize(
                  json::object{{"strategy", source}, {"timeframes", shown}, {"base_timeframe", timeframes.front()}}));
        write(path / "features.json",
              json::serialize(json::object{{"names", json::array(names.begin(), names.end())},
                                           {"classes", {"buy", "hold", "sell"}},
                                           {"scaling", more ? scaling(names.size()) : json::value(nullptr)}}));
        write(path / "metrics.json", "{}");
        write(path / "metadata.json", R"({"version": 1, "layout": 2})");
        write(path / "model.safetensors",
              encode_safetensors(weights({static_cast<std::int64_t>(names.size()), 8, 4, 3})));
        return path;
    }
    std::shared_ptr<const Predictor> loaded(const fs::path& path) {
        auto model = Predictor::load(path);
        EXPECT_TRUE(model) << model.error().message;
        return model.value();
    }
};

NewBar bar_of(const Bars& bars, std::size_t row) {
    return {bars.time[row], {bars.open[row], bars.high[row], bars.low[row], bars.close[row], bars.volume[row]}};
}

std::vector<BarsView> views(const std::vector<BarsPtr>& series) {
    return {series.begin(), series.end()};
}

/// Bars on the days on which New York trades, but for the `missing`th.
BarsPtr new_york_days(std::size_t missing) {
    using namespace std::chrono;
    const auto grid =
        BarGrid::make(Timeframe::parse("1d").value(), SessionCalendar::shipped("XNYS").value(), {.provider = "IB"})
            .value();
    const TimeRange range{UtcTime{sys_days{year{2019} / 1 / 1}}, UtcTime{sys_days{year{2021} / 1 / 1}}};
    const std::vector<UtcTime> days = grid.expected(range).value();
    const BarsPtr walk = walk_bars(days.size(), hours{24}, 7);
    Bars bars;
    for (std::size_t day = 0; day < days.size(); ++day) {
        if (day != missing) {
            bars.push_back(days[day].time_since_epoch().count(), walk->open[day], walk->high[day], walk->low[day],
                           walk->close[day], walk->volume[day]);
        }
    }
    return std::make_shared<const Bars>(std::move(bars));
}

/// Bars of an hour, or of a day, as New York has them.
BarsPtr new_york_bars(std::string_view timeframe, unsigned seed) {
    using namespace std::chrono;
    const auto grid =
        BarGrid::make(Timeframe::parse(timeframe).value(), SessionCalendar::shipped("XNYS").value(), {.provider = "IB"})
            .value();
    const TimeRange range{UtcTime{sys_days{year{2019} / 1 / 1}}, UtcTime{sys_days{year{2021} / 1 / 1}}};
    const std::vector<UtcTime> stamps = grid.expected(range).value();
    const BarsPtr walk = walk_bars(stamps.size(), hours{24}, seed);
    Bars bars = *walk;
    for (std::size_t bar = 0; bar < stamps.size(); ++bar) {
        bars.time[bar] = stamps[bar].time_since_epoch().count();
    }
    return std::make_shared<const Bars>(std::move(bars));
}

constexpr const char* trained_on_hours_and_days_in_new_york =
    R"({"version": 1, "layout": 2, "series": [
        {"symbol": "AAPL", "timeframe": "1h", "what_to_show": "TRADES", "calendar": "XNYS", "provider": "IB",
         "asset_class": "stock", "session": "regular"},
        {"symbol": "AAPL", "timeframe": "1d", "what_to_show": "TRADES", "calendar": "XNYS", "provider": "IB",
         "asset_class": "stock", "session": "regular"}]})";

constexpr const char* trained_in_new_york =
    R"({"version": 1, "layout": 2, "series": [{"symbol": "AAPL", "timeframe": "1d", "what_to_show": "TRADES",
        "calendar": "XNYS", "provider": "IB", "asset_class": "stock", "session": "regular"}]})";

bool same_bits(std::span<const float> a, std::span<const float> b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

TEST_F(SavedModels, PredictTheSameBitsForBarsAsTheyComeAsForAllAtOnce) {
    std::size_t number = 0;
    for (const std::string_view activation : Mlp::activations()) {
        for (const int lags : {0, 1, 3}) {
            for (const bool several : {false, true}) {
                for (const History asked : {History::least, History::exact}) {
                    if (number++ % soak_step(5) != 0) {
                        continue;
                    }
                    const std::vector<std::string> timeframes =
                        several ? std::vector<std::string>{"1h", "1d", "4h"} : std::vector<std::string>{"1h"};
                    const auto model = loaded(save(timeframes, lags, activation, lags > 0));
                    std::vector<BarsPtr> series;
                    series.reserve(timeframes.size());
                    series.push_back(walk_bars(24 * 200, std::chrono::hours{1}, 1, true));
                    if (several) {
                        series.push_back(walk_bars(200, std::chrono::hours{24}, 2));
                        series.push_back(walk_bars(200 * 6, std::chrono::hours{4}, 3));
                    }
                    const auto batch = model->predict_bars(views(series), asked).value();
                    ASSERT_GT(batch.bar.size(), 100u);
                    const auto stream = model->stream(asked).value();
                    std::vector<std::size_t> handed(series.size());
                    std::size_t next = 0;
                    for (std::size_t row = 0; row < series[0]->size(); ++row) {
                        // All others that will be closed by then, and some that will not.
                        for (std::size_t other = 1; other < series.size(); ++other) {
                            while (handed[other] < series[other]->size() &&
                                   series[other]->time[handed[other]] <= series[0]->time[row]) {
                                ASSERT_TRUE(stream->push(other, bar_of(*series[other], handed[other]++)));
                            }
                        }
                        const auto one = stream->push(0, bar_of(*series[0], row)).value();
                        const bool expected = next < batch.bar.size() && batch.bar[next] == row;
                        ASSERT_EQ(one.has_value(), expected) << "row " << row;
                        if (expected) {
                            EXPECT_EQ(static_cast<std::int64_t>(one->predicted), batch.predicted.classes[next]);
                            EXPECT_TRUE(
                                same_bits(one->chances, std::span(batch.predicted.chances).subspan(3 * next, 3)));
                            ++next;
                        }
                    }
                    EXPECT_EQ(next, batch.bar.size());
                }
            }
        }
    }
}

TEST_F(SavedModels, BeginAnewBehindASessionThatIsMissingAndNameIt) {
    const fs::path path = save();
    write(path / "metadata.json", trained_in_new_york);
    const auto model = loaded(path);
    const std::size_t history = model->history(History::exact).value();
    constexpr std::size_t missing = 300;
    const BarsPtr bars = new_york_days(missing);
    const auto found = model->predict_bars(std::array{BarsView(bars, "AAPL", "1d")}, History::exact).value();
    // Whole bars of history lie before each bar that has a prediction, none of them on the other side.
    for (const std::size_t bar : found.bar) {
        EXPECT_TRUE(bar < missing ? bar >= history : bar >= missing + history) << bar;
    }
    ASSERT_EQ(found.warnings.size(), 1u);
    EXPECT_THAT(found.warnings[0], HasSubstr("AAPL 1d: no bars from 2020-03-1"));
    EXPECT_THAT(found.warnings[0], HasSubstr("1 session;"));
    EXPECT_THAT(found.warnings[0], HasSubstr(fmt::format("the {} bars there have no prediction", history)));

    const auto stream = model->stream(History::exact, "AAPL").value();
    std::vector<std::size_t> streamed;
    for (std::size_t row = 0; row < bars->size(); ++row) {
        if (stream->push(0, bar_of(*bars, row)).value()) {
            streamed.push_back(row);
        }
    }
    EXPECT_EQ(streamed, found.bar);
    EXPECT_EQ(stream->warnings(), found.warnings);

    // Whose symbol was not trained on may have other sessions.
    const auto other = model->predict_bars(std::array{BarsView(bars, "VOD", "1d")}, History::exact).value();
    EXPECT_THAT(other.warnings, testing::IsEmpty());
    EXPECT_EQ(other.bar.size(), bars->size() - history);
}

TEST_F(SavedModels, UseABarOfALongerTimeframeWhenTheTrainingDidWhateverTheSessions) {
    const fs::path path = save({"1h", "1d"}, 1);
    write(path / "metadata.json", trained_on_hours_and_days_in_new_york);
    const auto model = loaded(path);
    const BarsPtr hours = new_york_bars("1h", 3);
    const BarsPtr days = new_york_bars("1d", 4);
    const std::array given{BarsView(hours, "AAPL", "1h"), BarsView(days, "AAPL", "1d")};
    const auto found = model->features_of(given, History::least).value();
    // As a training builds them.
    const std::vector<FeatureSeries> series{{BarGrid(model->timeframes()[0]), hours},
                                            {BarGrid(model->timeframes()[1]), days}};
    const FeatureMatrix trained = build_features(model->strategy().features, series, 0).value();
    EXPECT_EQ(found.bar, trained.bar);
    EXPECT_EQ(found.values, trained.values);

    const auto batch = model->predict_bars(given, History::least).value();
    const auto stream = model->stream(History::least, "AAPL").value();
    std::size_t next = 0;
    std::size_t handed = 0;
    for (std::size_t row = 0; row < hours->size(); ++row) {
        while (handed < days->size() && days->time[handed] <= hours->time[row]) {
            ASSERT_TRUE(stream->push(1, bar_of(*days, handed++)));
        }
        const auto one = stream->push(0, bar_of(*hours, row)).value();
        const bool expected = next < batch.bar.size() && batch.bar[next] == row;
        ASSERT_EQ(one.has_value(), expected) << row;
        if (expected) {
            EXPECT_TRUE(same_bits(one->chances, std::span(batch.predicted.chances).subspan(3 * next, 3))) << row;
            ++next;
        }
    }
    EXPECT_EQ(next, batch.bar.size());
}

TEST_F(SavedModels, RefuseBarsOfAnotherBasis) {
    const fs::path path = save();
    write(path / "metadata.json", trained_in_new_york);
    const auto model = loaded(path);
    const BarsPtr bars = walk_bars(400, std::chrono::hours{24}, 1);
    for (const char* const symbol : {"AAPL", "MSFT", ""}) {
        const std::array adjusted{BarsView(bars, symbol, "1d", "ADJUSTED_LAST")};
        const Error error = model->predict_bars(adjusted, History::exact).error();
        EXPECT_EQ(error.code, Errc::invalid_argument);
        EXPECT_THAT(error.message, HasSubstr("1d are ADJUSTED_LAST, and the model was trained on TRADES"));
        EXPECT_EQ(error.context.at("field").as_string(), "what_to_show");
    }
    for (const char* const basis : {"TRADES", ""}) {
        EXPECT_TRUE(model->predict_bars(std::array{BarsView(bars, "AAPL", "1d", basis)}, History::exact));
    }
}

TEST_F(SavedModels, GiveTheFeaturesThatTheyPredictFrom) {
    const auto model = loaded(save({"1d"}, 2));
    const std::array series{BarsView(walk_bars(400, std::chrono::hours{24}, 9))};
    const auto features = model->features_of(series, History::exact).value();
    const auto predicted = model->predict_bars(series, History::exact).value();
    EXPECT_EQ(features.bar, predicted.bar);
    EXPECT_EQ(features.values.size(), features.bar.size() * model->feature_names().size());
    EXPECT_EQ(model->predict(features.values)->chances, predicted.predicted.chances);
}

TEST_F(SavedModels, GiveTheirMembershipsAsTheyAreBeforeScaling) {
    const auto model = loaded(save({"1d"}, 1, "relu", true));
    const std::array series{BarsView(walk_bars(400, std::chrono::hours{24}, 9))};
    const auto scaled = model->features_of(series, History::exact).value();
    auto raw = model->unscaled_features_of(series, History::exact).value();
    EXPECT_EQ(raw.bar, scaled.bar);
    const std::vector<std::string> memberships = model->membership_names();
    const std::size_t columns = model->feature_names().size();
    EXPECT_EQ(columns, memberships.size() + 2 * price_context_names.size());
    for (std::size_t i = 0; i < raw.values.size(); ++i) {
        const std::string& name = model->feature_names()[i % columns];
        if (std::ranges::find(memberships, name) != memberships.end()) {
            ASSERT_GE(raw.values[i], 0) << name;
            ASSERT_LE(raw.values[i], 1) << name;
        }
    }
    scale(*model->scaling(), raw.values);
    EXPECT_EQ(raw.values, scaled.values);
}

TEST_F(SavedModels, WithTheirExactHistoryDoNotCareWhereBarsBegin) {
    const auto model = loaded(save());
    const BarsPtr all = walk_bars(600, std::chrono::hours{24}, 5);
    const auto whole = model->predict_bars(std::array{BarsView(all)}, History::exact).value();
    const std::size_t history = model->history(History::exact).value();
    EXPECT_GT(history, model->history(History::least).value());
    for (std::size_t first = 1; first + history < all->size(); first += 37) {
        const auto part = std::make_shared<const Bars>(all->rows(first, all->size()));
        const auto later = model->predict_bars(std::array{BarsView(part)}, History::exact).value();
        ASSERT_EQ(later.bar.front(), history);
        const std::size_t skipped = whole.bar.size() - later.bar.size();
        EXPECT_TRUE(std::ranges::equal(later.predicted.classes, std::span(whole.predicted.classes).subspan(skipped)));
        const auto chances = std::span(whole.predicted.chances).subspan(3 * skipped);
        for (std::size_t i = 0; i < chances.size(); ++i) {
            ASSERT_NEAR(later.predicted.chances[i], chances[i], 1e-6);
        }
    }
}

TEST_F(SavedModels, SayHowManyBarsTheyNeed) {
    const auto model = loaded(save());
    const std::size_t needed = model->history(History::exact).value() + 1;
    EXPECT_EQ(model->predict_bars(std::array{BarsView(walk_bars(needed, std::chrono::hours{24}, 1))}, History::exact)
                  ->bar.size(),
              1u);
    const auto few =
        model->predict_bars(std::array{BarsView(walk_bars(needed - 1, std::chrono::hours{24}, 1))}, History::exact);
    EXPECT_EQ(few.error().code, Errc::not_enough_data);
    EXPECT_THAT(few.error().message, HasSubstr(fmt::format("{} of 1d bars are too few", needed - 1)));
    EXPECT_THAT(few.error().message, HasSubstr(fmt::format("{} are needed", needed)));
    EXPECT_EQ(model->predict_bars(std::array{BarsView()}, History::least).error().code, Errc::not_enough_data);
    const auto several = loaded(save({"1h", "1d"}));
    const auto short_days = several->predict_bars(std::array{BarsView(walk_bars(24 * 90, std::chrono::hours{1}, 1)),
                                                             BarsView(walk_bars(3, std::chrono::hours{24}, 1))},
                                                  History::exact);
    EXPECT_THAT(short_days.error().message, HasSubstr("2160 of 1h, 3 of 1d bars are too few"));
}

TEST_F(SavedModels, HaveNoExactHistoryWhereAnIndicatorNeverForgetsItsBeginning) {
    json::object source = strategy({"1d"}, 0, "relu");
    source["indicators"].as_array()[0] = {{"name", "obv"}, {"feature_id", "volume"}};
    json::object& sets = source["fuzzy_sets"].as_object();
    sets["volume"] = sets["rsi_5"];
    sets.erase("rsi_5");
    const auto model = loaded(save({"1d"}, source));
    const std::array bars{BarsView(walk_bars(300, std::chrono::hours{24}, 1))};
    for (const Error& error : {model->history(History::exact).error(), model->stream(History::exact).error(),
                               model->predict_bars(bars, History::exact).error()}) {
        EXPECT_EQ(error.code, Errc::invalid_argument);
        EXPECT_THAT(error.message, HasSubstr("'volume' (obv)"));
        EXPECT_THAT(error.message, HasSubstr("say exact=False"));
    }
    EXPECT_GT(model->predict_bars(bars, History::least)->bar.size(), 200u);
}

TEST_F(SavedModels, RefuseRowsThatAreNotTheirs) {
    const auto model = loaded(save());
    EXPECT_THAT(model->predict(std::vector<float>(4)).error().message,
                HasSubstr("4 values are no whole rows: the model has 3"));
    std::vector<float> rows(6);
    rows[4] = std::nanf("");
    EXPECT_THAT(model->predict(rows).error().message, HasSubstr("row 1 has no finite value for '1d_rsi_5_high'"));
    EXPECT_TRUE(model->predict({})->classes.empty());
}

TEST_F(SavedModels, WhoseFilesDoNotBelongTogetherAreRefused) {
    const auto refused = [this](auto change) {
        const fs::path path = save();
        change(path);
        const auto model = Predictor::load(path);
        EXPECT_FALSE(model);
        if (!model) {
            EXPECT_THAT(model.error().message, HasSubstr(path.string()));
        }
        return model ? std::string() : model.error().message;
    };
    EXPECT_THAT(
        refused([](const fs::path& at) { write(at / "features.json", R"({"names": ["a"], "classes": ["x"]})"); }),
        HasSubstr("it names 1 features and the strategy makes 3"));
    EXPECT_THAT(
        refused([](const fs::path& at) {
            write(
                at / "features.json",
                R"({"names": ["1d_rsi_5_high", "1d_rsi_5_low", "1d_macd_histogram_up"], "classes": ["b", "h", "s"]})");
        }),
        HasSubstr("feature 0 is '1d_rsi_5_high' and the strategy makes '1d_rsi_5_low' there"));
    EXPECT_THAT(refused([](const fs::path& at) { write(at / "config.json", "{}"); }), HasSubstr("holds no strategy"));
    EXPECT_THAT(refused([](const fs::path& at) { write(at / "config.json", R"({"strategy": {}})"); }),
                HasSubstr("its strategy"));
    EXPECT_THAT(
        refused([](const fs::path& at) { write(at / "model.safetensors", encode_safetensors(weights({4, 8, 4, 3}))); }),
        HasSubstr("weights of another model: 4 inputs and 3 classes"));
    EXPECT_THAT(
        refused([](const fs::path& at) { write(at / "model.safetensors", encode_safetensors(weights({3, 8, 5, 3}))); }),
        HasSubstr("hidden layers [8, 5], where the strategy has [8, 4]"));
    EXPECT_THAT(refused([](const fs::path& at) { write(at / "model.safetensors", encode_safetensors({})); }),
                HasSubstr("no '0.weight'"));
}

TEST_F(SavedModels, RefuseBarsThatComeOutOfOrderAndGoOn) {
    const auto model = loaded(save({"1h", "1d"}));
    const auto stream = model->stream(History::least).value();
    const BarsPtr hours = walk_bars(100, std::chrono::hours{1}, 1);
    const BarsPtr days = walk_bars(5, std::chrono::hours{24}, 1);
    ASSERT_TRUE(stream->push(0, bar_of(*hours, 30)));
    EXPECT_THAT(stream->push(0, bar_of(*hours, 30)).error().message, HasSubstr("oldest first"));
    EXPECT_THAT(stream->push(1, bar_of(*days, 0)).error().message, HasSubstr("should have used it"));
    EXPECT_TRUE(stream->push(1, bar_of(*days, 1)));
    EXPECT_TRUE(stream->push(0, bar_of(*hours, 31)));
    EXPECT_EQ(stream->missing(1), model->history(History::least).value());
}

}  // namespace
}  // namespace ktrdr
