// Each option of the table, changed in a file, is another training: other data, another network, another learning. What
// only readers mean stays in `Strategy::source`, which is stored with the model.

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/pfr.hpp>
#include <cstdint>
#include <map>
#include <set>

#include <ktrdr/training/checkpoint_files.hpp>
#include <ktrdr/training/shared_training_data.hpp>
#include <ktrdr/training/strategy.hpp>
#include <ktrdr/training/strategy_options.hpp>
#include <ktrdr/training/training_data.hpp>

#include "fakes.hpp"

namespace ktrdr {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

/// Everything that a value says, field by field: what is added to a structure is in it by itself.
class Everything final {
public:
    [[nodiscard]] const std::string& text() const { return text_; }

    template <class T>
    void add(const T& one) {
        if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
            text_ += fmt::format("{} ", static_cast<double>(one));
        } else if constexpr (std::is_same_v<T, std::string>) {
            text_ += fmt::format("'{}' ", one);
        } else if constexpr (std::is_same_v<T, Indicator>) {
            add_indicator(one);
        } else if constexpr (std::is_same_v<T, FuzzySet>) {
            for (const double at : {-1.0, 0.0, 0.3, 1.0, 20.0, 40.0, 70.0}) {
                add(one.membership(at));
            }
        } else if constexpr (std::is_same_v<T, object>) {
            // The file itself: compared apart.
        } else if constexpr (requires { one.has_value(); }) {
            text_ += one.has_value() ? "some " : "none ";
            if (one.has_value()) {
                add(*one);
            }
        } else if constexpr (requires { one.begin(); }) {
            text_ += fmt::format("{}: ", one.size());
            for (const auto& each : one) {
                add(each);
            }
        } else {
            boost::pfr::for_each_field(one, [this](const auto& field) { this->add(field); });
        }
    }

private:
    void add_indicator(const Indicator& one) {
        text_ += fmt::format("{} ", one.spec().name);
        for (const auto& [name, number] : one.parameters()) {
            text_ += fmt::format("{}={} ", name, number);
        }
        for (const InputColumn column : one.inputs()) {
            text_ += fmt::format("{} ", static_cast<int>(column));
        }
    }

    std::string text_{};
};

std::string everything(const Strategy& strategy) {
    Everything all;
    all.add(strategy);
    return all.text();
}

void set(object& json, std::string_view path, value changed) {
    object* section = &json;
    for (std::size_t dot = path.find('.'); dot != std::string_view::npos; dot = path.find('.')) {
        value& next = (*section)[path.substr(0, dot)];
        if (!next.is_object()) {
            next = object{};
        }
        section = &next.get_object();
        path.remove_prefix(dot + 1);
    }
    (*section)[path] = std::move(changed);
}

value get(const object& json, std::string_view path) {
    const object* section = &json;
    for (std::size_t dot = path.find('.'); dot != std::string_view::npos; dot = path.find('.')) {
        const value* const next = section->if_contains(path.substr(0, dot));
        if (next == nullptr || !next->is_object()) {
            return nullptr;
        }
        section = &next->get_object();
        path.remove_prefix(dot + 1);
    }
    const value* const found = section->if_contains(path);
    return found == nullptr ? value(nullptr) : *found;
}

/// Values that the option takes, or that are refused with a message.
std::vector<value> others(const StrategyOption& option) {
    switch (option.type) {
        case OptionType::flag: return {true, false};
        case OptionType::integer: return {3, 4, 5};
        case OptionType::number: return {0.25, 0.3, 0.5};
        case OptionType::integers: return {array{3}, array{5, 4}};
        case OptionType::texts: return {array{"1d"}, array{"1h", "1d"}};
        case OptionType::text: break;
    }
    return option.choices.empty() ? std::vector<value>{"one", "two"} : option.choices;
}

/// What only readers and the users of a model mean.
bool is_for_readers(std::string_view path) {
    static const std::set<std::string_view> texts{"description", "version", "hypothesis", "scope"};
    return texts.contains(path) || path.starts_with("deployment.") || path.starts_with("decisions.");
}

class EachOption : public ::testing::TestWithParam<std::string_view> {};

TEST_P(EachOption, ChangesTheTrainingOrIsRefused) {
    const std::string_view path = GetParam();
    std::set<std::string> trainings;
    std::set<std::string> files;
    std::size_t refused = 0;
    const StrategyOption& option = *find_strategy_option(path);
    for (const value& other : others(option)) {
        object json = test::strategy_json();
        set(json, path, other);
        const auto strategy = Strategy::parse(json);
        if (!strategy) {
            EXPECT_EQ(strategy.error().code, Errc::strategy);
            EXPECT_FALSE(strategy.error().context.at("path").as_string().empty());
            ++refused;
            continue;
        }
        trainings.insert(everything(*strategy));
        files.insert(boost::json::serialize(get(strategy->source, path)));
    }
    EXPECT_GE(refused + files.size(), others(option).size() == 1 ? 1u : 2u);
    if (path.starts_with("training_data.") && path.ends_with(".mode")) {
        EXPECT_GE(refused, 2u) << "it may contradict the list";
    } else if (!is_for_readers(path)) {
        EXPECT_EQ(trainings.size(), files.size()) << "two values of it are one training";
    }
    object json = test::strategy_json();
    set(json, path, object{{"no", "value"}});
    EXPECT_EQ(Strategy::parse(json).error().context.at("path").as_string(), path);
}

/// Whose rows may be shared: those of one plan are the same.
TEST_P(EachOption, HasAnotherDataPlanWhereItChangesTheRows) {
    test::FakeBars bars;
    bars.add("AAPL", 300, 1);
    bars.add("MSFT", 250, 2);
    std::map<std::string, std::string> rows_of_plans;
    std::vector<value> values = others(*find_strategy_option(GetParam()));
    values.push_back(get(test::strategy_json(), GetParam()));
    for (const value& other : values) {
        TrainingRequest asked;
        asked.strategy = test::strategy_json();
        if (!other.is_null()) {
            set(asked.strategy, GetParam(), other);
        }
        const auto context = build_training_context(asked);
        const auto data = context ? prepare_training_data(*context, bars, {}, [](std::size_t, std::size_t) {})
                                  : Result<std::shared_ptr<const TrainingData>>(context.error());
        if (data) {
            const std::string rows = identity_of(*context, **data).data;
            const auto [known, is_new] = rows_of_plans.emplace(data_plan_of(*context), rows);
            EXPECT_EQ(known->second, rows) << GetParam() << " = " << boost::json::serialize(other);
        }
    }
    const bool of_learning = GetParam().starts_with("model.training.") || GetParam().starts_with("model.architecture.");
    EXPECT_TRUE(!of_learning || rows_of_plans.size() <= 1) << "it could share its rows";
}

std::vector<std::string_view> option_paths() {
    std::vector<std::string_view> paths;
    for (const StrategyOption& option : strategy_options()) {
        paths.push_back(option.path);
    }
    return paths;
}

INSTANTIATE_TEST_SUITE_P(Strategy, EachOption, ::testing::ValuesIn(option_paths()), [](const auto& one) {
    std::string name(one.param);
    std::ranges::replace(name, '.', '_');
    return name;
});

/// The training of the small strategy with one part of it changed.
std::string with(std::string_view pointer, value changed) {
    value json = test::strategy_json();
    boost::system::error_code error;
    value* const place = json.find_pointer({pointer.data(), pointer.size()}, error);
    EXPECT_NE(place, nullptr) << pointer;
    if (place != nullptr) {
        *place = std::move(changed);
    }
    const auto strategy = Strategy::parse(json.as_object());
    return strategy ? everything(*strategy) : "refused: " + strategy.error().message;
}

TEST(EachKeyOfASection, ChangesTheTrainingOrIsRefused) {
    const std::string before = everything(Strategy::parse(test::strategy_json()).value());
    const std::vector<std::pair<std::string_view, value>> changes{{"/training_data/symbols/list", {"AAPL", "IBM"}},
                                                                  {"/training_data/timeframes/list", {"1h"}},
                                                                  {"/training_data/timeframes/base_timeframe", "1h"},
                                                                  {"/indicators/0/name", "distance_from_ma"},
                                                                  {"/indicators/0/feature_id", "other"},
                                                                  {"/indicators/0/source", "open"},
                                                                  {"/indicators/0/params/period", 6},
                                                                  {"/indicators/1/params/fast_period", 4},
                                                                  {"/fuzzy_sets/rsi_5/low/type", "gaussian"},
                                                                  {"/fuzzy_sets/rsi_5/low/parameters", {0, 10, 50}},
                                                                  {"/fuzzy_sets/rsi_5/low", nullptr},
                                                                  {"/fuzzy_sets/rsi_5", object{}},
                                                                  {"/model/training/early_stopping", nullptr}};
    for (const auto& [pointer, changed] : changes) {
        EXPECT_NE(with(pointer, changed), before) << pointer;
    }
}

/// The path of what is refused once a key that nobody reads is put into the object at `pointer`.
std::string refused_with(std::string_view pointer, std::string_view key) {
    value json = test::strategy_json();
    boost::system::error_code error;
    value* const place = pointer.empty() ? &json : json.find_pointer({pointer.data(), pointer.size()}, error);
    place->as_object()[key] = 1;
    const auto strategy = Strategy::parse(json.as_object());
    return strategy ? "accepted" : std::string(strategy.error().context.at("path").as_string());
}

TEST(EachKeyOfASection, ThatNobodyReadsIsRefused) {
    EXPECT_EQ(refused_with("", "modle"), "modle");
    EXPECT_EQ(refused_with("", "model.training"), "model.training");
    EXPECT_EQ(refused_with("/training_data", "symbol"), "training_data.symbol");
    EXPECT_EQ(refused_with("/training_data/symbols", "symbol"), "training_data.symbols.symbol");
    EXPECT_EQ(refused_with("/indicators/0", "period"), "indicators[0].period");
    EXPECT_EQ(refused_with("/fuzzy_sets/rsi_5/low", "weight"), "fuzzy_sets.rsi_5.low.weight");
    EXPECT_EQ(refused_with("/model/training", "epoch"), "model.training.epoch");
    EXPECT_EQ(refused_with("/model/training/early_stopping", "patient"), "model.training.early_stopping.patient");
}

value with_inputs(boost::json::array inputs) {
    value json = test::strategy_json();
    json.at("training_data").at("timeframes") = {{"list", {"1h", "1d"}}, {"base_timeframe", "1h"}};
    const value sets = json.at("fuzzy_sets");
    json.as_object()["fuzzy_sets"] = {{"level", sets.at("rsi_5")}, {"turn", sets.at("macd.histogram")}};
    json.as_object()["nn_inputs"] = std::move(inputs);
    return json;
}

TEST(Inputs, ComeInTheirOrderEachOnItsTimeframes) {
    const value turn{{"fuzzy_set", "turn"}, {"indicator", "macd.histogram"}, {"timeframes", {"1d"}}};
    const value level{{"fuzzy_set", "level"}, {"indicator", "rsi_5"}};
    const auto names = [](const value& json) {
        return boost::json::serialize(Strategy::parse(json.as_object()).value().summary().at("features"));
    };
    EXPECT_EQ(names(with_inputs({turn, level})),
              R"(["1h_level_low","1h_level_high","1d_turn_up","1d_level_low","1d_level_high"])");
    EXPECT_EQ(names(with_inputs({level, turn})),
              R"(["1h_level_low","1h_level_high","1d_level_low","1d_level_high","1d_turn_up"])");
}

TEST(Inputs, ThatCannotBeAreRefusedByTheirPath) {
    const auto refused = [](const value& json) {
        const auto strategy = Strategy::parse(json.as_object());
        return strategy ? "accepted" : std::string(strategy.error().context.at("path").as_string());
    };
    const value turn{{"fuzzy_set", "turn"}, {"indicator", "macd.histogram"}, {"timeframes", {"1d"}}};
    const value level{{"fuzzy_set", "level"}, {"indicator", "rsi_5"}};
    EXPECT_EQ(refused(with_inputs({turn})), "fuzzy_sets.level");
    EXPECT_EQ(refused(with_inputs({turn, level, turn})), "nn_inputs[2].fuzzy_set");
    EXPECT_EQ(refused(with_inputs({{{"fuzzy_set", "trun"}, {"indicator", "rsi_5"}}})), "nn_inputs[0].fuzzy_set");
    EXPECT_EQ(refused(with_inputs({{{"fuzzy_set", "turn"}, {"indicator", "rsi"}}})), "nn_inputs[0].indicator");
    value elsewhere = turn;
    elsewhere.at("timeframes") = array{"4h"};
    EXPECT_EQ(refused(with_inputs({elsewhere, level})), "nn_inputs[0].timeframes");
    value daily = level;
    daily.as_object()["timeframes"] = array{"1d"};
    EXPECT_EQ(refused(with_inputs({turn, daily})), "nn_inputs") << "nothing is of 1h";
}

}  // namespace
}  // namespace ktrdr
