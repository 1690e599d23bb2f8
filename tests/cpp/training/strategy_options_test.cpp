#include <ktrdr/training/strategy_options.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include <ktrdr/training/strategy.hpp>

#include "fakes.hpp"

namespace ktrdr {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;
using ::testing::HasSubstr;

const StrategyOption& option(std::string_view path) {
    return *find_strategy_option(path);
}

/// The small strategy with one option said, whatever sections that needs.
object with_option(std::string_view path, const value& said) {
    object strategy = test::strategy_json();
    object* section = &strategy;
    for (std::size_t dot = path.find('.'); dot != std::string_view::npos; dot = path.find('.')) {
        value& below = (*section)[path.substr(0, dot)];
        section = below.is_object() ? &below.get_object() : &below.emplace_object();
        path.remove_prefix(dot + 1);
    }
    (*section)[path] = said;
    return strategy;
}

/// Values that an option refuses: of another type, outside the range, not among the choices.
std::vector<value> wrong_values(const StrategyOption& one) {
    std::vector<value> wrong{object{}, one.type == OptionType::flag ? value("perhaps") : value(true)};
    const bool is_list = one.type == OptionType::integers;
    const auto add = [&](double number) { wrong.push_back(is_list ? value(array{number}) : value(number)); };
    if (!one.least.is_null()) {
        const double least = one.least.to_number<double>();
        add(one.open ? least : std::nextafter(least, -1e300));
    }
    if (!one.most.is_null() && one.most != std::numeric_limits<std::int64_t>::max()) {
        const double most = one.most.to_number<double>();
        add(one.open ? most : std::nextafter(most, 1e300));
    }
    if (!one.choices.empty() && one.type == OptionType::text) {
        wrong.emplace_back("swish");
    }
    if (!one.pattern.empty()) {
        wrong.emplace_back("../up");
    }
    return wrong;
}

TEST(StrategyOptions, RefuseWhatIsOutOfRangeInTheFileToo) {
    for (const StrategyOption& one : strategy_options()) {
        for (const value& wrong : wrong_values(one)) {
            const auto words = refusal(one, wrong);
            ASSERT_TRUE(words) << one.path;
            const auto strategy = Strategy::parse(with_option(one.path, wrong));
            ASSERT_FALSE(strategy) << one.path;
            EXPECT_EQ(std::string_view(strategy.error().context.at("path").as_string()), one.path);
            EXPECT_THAT(strategy.error().message, HasSubstr(*words)) << one.path;
        }
    }
}

TEST(StrategyOptions, AllowTheirDefaults) {
    for (const StrategyOption& one : strategy_options()) {
        EXPECT_EQ(refusal(one, one.fallback).has_value(), one.required) << one.path;
        EXPECT_FALSE(one.words.empty()) << one.path;
    }
}

TEST(StrategyOptions, AreWhatAFileThatIsSilentIsReadAs) {
    object json = test::strategy_json();
    json.erase("training");
    json["model"] = {{"training", {{"early_stopping", object{}}}}};
    const Strategy strategy = Strategy::parse(json).value();
    const auto fallback = [](std::string_view path) { return option(path).fallback.to_number<double>(); };
    EXPECT_EQ(strategy.options.learning_rate, fallback("model.training.learning_rate"));
    EXPECT_EQ(strategy.options.weight_decay, fallback("model.training.weight_decay"));
    EXPECT_EQ(strategy.options.gradient_clip, std::nullopt);
    EXPECT_EQ(strategy.options.early_stopping->patience, fallback("model.training.early_stopping.patience"));
    EXPECT_EQ(strategy.options.early_stopping->min_delta, fallback("model.training.early_stopping.min_delta"));
    EXPECT_EQ(strategy.options.optimizer, std::string_view(option("model.training.optimizer").fallback.as_string()));
    EXPECT_EQ(strategy.model.dropout, fallback("model.architecture.dropout"));
    EXPECT_EQ(strategy.model.activation,
              std::string_view(option("model.architecture.activation").fallback.as_string()));
    EXPECT_EQ(strategy.labels.threshold, fallback("training.labels.threshold"));
    EXPECT_EQ(static_cast<double>(strategy.labels.lookahead), fallback("training.labels.label_lookahead"));
    EXPECT_EQ(label_source_names[static_cast<std::size_t>(strategy.labels.source)],
              std::string_view(option("training.labels.source").fallback.as_string()));
    EXPECT_EQ(strategy.split.train, fallback("training.data_split.train"));
    EXPECT_EQ(static_cast<double>(strategy.embargo), fallback("training.data_split.embargo"));
    EXPECT_EQ(strategy.scale_features, option("model.features.scale_features").fallback.as_bool());
    EXPECT_EQ(strategy.features.price_context, option("model.features.include_price_context").fallback.as_bool());
}

TEST(StrategyOptions, SayWhatTheValueMustBe) {
    EXPECT_EQ(*refusal(option("model.training.epochs"), 0),
              "must be a whole number greater than or equal to 1 and at most 1000000 (it is 0)");
    EXPECT_EQ(*refusal(option("model.training.epochs"), true),
              "must be a whole number greater than or equal to 1 and at most 1000000, not true or false");
    EXPECT_EQ(*refusal(option("model.training.gradient_clip"), 0), "must be a number greater than 0 (it is 0)");
    EXPECT_EQ(*refusal(option("training.data_split.test"), 1.5),
              "must be a number greater than 0 and less than 1 (it is 1.5)");
    EXPECT_EQ(*refusal(option("model.training.optimizer"), "lion"),
              "must be one of 'adam', 'adamw', 'sgd' (it is 'lion')");
    EXPECT_EQ(*refusal(option("model.architecture.hidden_layers"), array{50, 0}),
              "must be a list of at least one whole number, each greater than or equal to 1 and at most 65536 (it is "
              "[50, 0])");
    EXPECT_EQ(*refusal(option("model.features.scale_features"), "yes"), "must be true or false (it is 'yes')");
}

TEST(StrategyOptions, TakeTheEndsOfARangeButNotOfAnOpenOne) {
    EXPECT_FALSE(refusal(option("model.training.seed"), std::numeric_limits<std::int64_t>::max()));
    EXPECT_TRUE(refusal(option("model.training.seed"), std::uint64_t{1} << 63));
    EXPECT_FALSE(refusal(option("model.architecture.dropout"), 0.99));
    EXPECT_FALSE(refusal(option("model.training.gradient_clip"), 1e-12));
    EXPECT_FALSE(refusal(option("model.training.gradient_clip"), nullptr));
    EXPECT_TRUE(refusal(option("model.training.epochs"), nullptr));
    EXPECT_TRUE(refusal(option("model.architecture.dropout"), std::numeric_limits<double>::quiet_NaN()));
    EXPECT_TRUE(refusal(option("model.architecture.hidden_layers"), array{}));
}

TEST(StrategyOptions, AreToldAsJson) {
    const object specs = strategy_option_specs();
    EXPECT_EQ(specs.size(), strategy_options().size());
    const object& dropout = specs.at("model.architecture.dropout").as_object();
    EXPECT_EQ(dropout.at("type"), "number");
    EXPECT_EQ(dropout.at("default"), 0.2);
    EXPECT_EQ(dropout.at("max"), 0.99);
    EXPECT_EQ(specs.at("model.training.optimizer").at("choices"), (array{"adam", "adamw", "sgd"}));
}

}  // namespace
}  // namespace ktrdr
