#include <ktrdr/training/strategy.hpp>

#include <boost/json/value_to.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <type_traits>

#include <ktrdr/market/timeframe.hpp>
#include <ktrdr/training/strategy_options.hpp>

#include "json_reader.hpp"

namespace ktrdr {
namespace {

void read_training_data(const JsonReader& data, Strategy& strategy) {
    strategy.symbols = data.object("symbols").texts("list");
    const JsonReader timeframes = data.object("timeframes");
    strategy.timeframes = timeframes.texts("list");
    for (const std::string& name : strategy.timeframes) {
        if (auto timeframe = Timeframe::parse(name); !timeframe) {
            timeframes.fail_at("list", timeframe.error().message);
        }
    }
    strategy.base_timeframe =
        timeframes.text("base_timeframe", strategy.timeframes.empty() ? "" : strategy.timeframes.front());
    if (std::ranges::find(strategy.timeframes, strategy.base_timeframe) == strategy.timeframes.end()) {
        timeframes.fail_at("base_timeframe", fmt::format("'{}' is not in the list", strategy.base_timeframe));
    }
    strategy.history_required = data.option("history_required").to_number<std::size_t>();
}

void read_indicators(const JsonReader& root, Strategy& strategy) {
    for (const JsonReader& item : root.objects("indicators")) {
        const std::string name = item.text("name");
        const std::string id = item.text("feature_id", name);
        const JsonReader given = item.object("params");
        IndicatorParameters parameters;
        for (const std::string& key : given.keys()) {
            parameters.emplace(key, given.number(key));
        }
        auto indicator = Indicator::make(name, parameters, item.text("source", "close"));
        if (!indicator) {
            item.fail_at("", indicator.error().message);
            continue;
        }
        if (std::ranges::find(strategy.features.sources, id, &FeatureSource::feature_id) !=
            strategy.features.sources.end()) {
            item.fail_at("feature_id", fmt::format("'{}' is used twice", id));
        }
        strategy.features.sources.push_back({id, std::move(*indicator), {}});
    }
}

/// The source and the output that a key of `fuzzy_sets` names.
std::pair<FeatureSource*, std::size_t> find_input(std::vector<FeatureSource>& sources, std::string_view key) {
    for (FeatureSource& source : sources) {
        if (key == source.feature_id) {
            return {&source, 0};
        }
        const auto outputs = source.indicator.spec().outputs;
        for (std::size_t i = 0; i < outputs.size(); ++i) {
            if (key == fmt::format("{}.{}", source.feature_id, outputs[i])) {
                return {&source, i};
            }
        }
    }
    return {nullptr, 0};
}

void read_fuzzy_sets(const JsonReader& root, Strategy& strategy) {
    const JsonReader all = root.object("fuzzy_sets");
    for (const std::string& key : all.keys()) {
        const auto [source, output] = find_input(strategy.features.sources, key);
        if (source == nullptr) {
            all.fail_at(key, "there is no indicator with that feature_id (or feature_id.output)");
            return;
        }
        FuzzyInput input{key, output, {}};
        const JsonReader sets = all.object(key);
        for (const std::string& name : sets.keys()) {
            const JsonReader set = sets.object(name);
            auto made = FuzzySet::make(set.text("type"), set.numbers("parameters"));
            if (!made) {
                sets.fail_at(name, made.error().message);
                return;
            }
            input.sets.push_back({name, *made});
        }
        source->inputs.push_back(std::move(input));
    }
}

void check_features(const JsonReader& root, const Strategy& strategy) {
    if (strategy.features.sources.empty()) {
        root.fail_at("indicators", "at least one indicator is needed");
    }
    for (const FeatureSource& source : strategy.features.sources) {
        if (std::ranges::all_of(source.inputs, [](const FuzzyInput& input) { return input.sets.empty(); })) {
            root.fail_at("fuzzy_sets",
                         fmt::format("indicator '{}' has no fuzzy set, so nothing would use it", source.feature_id));
        }
    }
    std::set<std::string> seen;
    for (const std::string& name : feature_names(strategy.features, std::array{Timeframe::parse("1d").value()})) {
        if (!seen.insert(name).second) {
            root.fail_at("fuzzy_sets", fmt::format("two features would be called '{}'", name.substr(3)));
        }
    }
}

/// Every option, also those that no training reads: a file that says one means it.
void check_options(const JsonReader& root) {
    for (const StrategyOption& option : strategy_options()) {
        JsonReader section = root;
        std::string_view key = option.path;
        for (std::size_t dot = key.find('.'); dot != std::string_view::npos; dot = key.find('.')) {
            section = section.object(key.substr(0, dot));
            key.remove_prefix(dot + 1);
        }
        (void)section.option(key);
    }
}

void read_model(const JsonReader& model, Strategy& strategy) {
    const JsonReader architecture = model.object("architecture");
    strategy.model.hidden_layers = value_to<std::vector<std::int64_t>>(architecture.option("hidden_layers"));
    strategy.model.activation = architecture.option("activation").get_string();
    strategy.model.dropout = architecture.option("dropout").to_number<double>();
    const JsonReader features = model.object("features");
    strategy.features.lags = features.option("lookback_periods").to_number<std::size_t>();
    strategy.features.price_context = features.option("include_price_context").get_bool();
    strategy.scale_features = features.option("scale_features").get_bool();
}

/// What a type of schedule does not look at is refused, since it would change nothing.
void read_schedule(const JsonReader& training, LearningRateSchedule& schedule) {
    const JsonReader said = training.object("lr_scheduler");
    schedule.type = said.option("type").get_string();
    const auto look = [&](std::string_view key, bool used, auto& to) {
        const boost::json::value& given = said.option(key);
        if (given.is_null()) {
            return;
        }
        if (!used) {
            said.fail_at(key, fmt::format("means nothing to a schedule of type '{}'; remove it", schedule.type));
            return;
        }
        to = given.to_number<std::remove_reference_t<decltype(to)>>();
    };
    look("step_size", schedule.type == "step", schedule.step_size);
    look("gamma", schedule.type != "none", schedule.gamma);
    look("patience", schedule.type == "plateau", schedule.patience);
}

void read_options(const JsonReader& training, TrainerOptions& options) {
    options.learning_rate = training.option("learning_rate").to_number<double>();
    options.batch_size = training.option("batch_size").to_number<std::int64_t>();
    options.epochs = training.option("epochs").to_number<std::int64_t>();
    options.optimizer = training.option("optimizer").get_string();
    options.weight_decay = training.option("weight_decay").to_number<double>();
    if (const auto& clip = training.option("gradient_clip"); !clip.is_null()) {
        options.gradient_clip = clip.to_number<double>();
    }
    options.seed = training.option("seed").to_number<std::uint64_t>();
    read_schedule(training, options.schedule);
    options.balance_classes = training.option("class_weights").get_string() == "balanced";
    options.device = training.option("device").get_string();
    if (training.has("early_stopping")) {
        const JsonReader stopping = training.object("early_stopping");
        options.early_stopping = EarlyStopping{stopping.option("patience").to_number<int>(),
                                               stopping.option("min_delta").to_number<double>(),
                                               std::string(stopping.option("monitor").get_string())};
    }
}

/// A number of one source of labels; said with another it would count for nothing.
std::optional<double> number_of_source(const JsonReader& labels, std::string_view key, LabelSource source,
                                       LabelSource said) {
    const auto& given = labels.option(key);
    if (given.is_null()) {
        return std::nullopt;
    }
    if (source != said) {
        labels.fail_at(key, fmt::format("counts for nothing with source: {}; it is of source: {}",
                                        label_source_names[static_cast<std::size_t>(said)],
                                        label_source_names[static_cast<std::size_t>(source)]));
    }
    return given.to_number<double>();
}

void read_labels(const JsonReader& labels, LabelRule& rule) {
    const std::string_view name = labels.option("source").get_string();
    rule.source = static_cast<LabelSource>(std::ranges::find(label_source_names, name) - label_source_names.begin());
    rule.threshold = labels.option("threshold").to_number<double>();
    rule.lookahead = labels.option("label_lookahead").to_number<std::size_t>();
    rule.zigzag_threshold = number_of_source(labels, "zigzag_threshold", LabelSource::zigzag, rule.source)
                                .value_or(LabelRule{}.zigzag_threshold);
    rule.stop_threshold = number_of_source(labels, "stop_threshold", LabelSource::triple_barrier, rule.source);
}

void read_method(const JsonReader& training, Strategy& strategy) {
    read_labels(training.object("labels"), strategy.labels);
    const JsonReader split = training.object("data_split");
    const auto share = [&split](std::string_view key) { return split.option(key).to_number<double>(); };
    strategy.split = {share("train"), share("validation"), share("test")};
    strategy.embargo = split.option("embargo").to_number<std::size_t>();
    if (auto checked = check_shares(strategy.split); !checked) {
        split.fail_at("", checked.error().message);
    }
}

}  // namespace

Result<Strategy> Strategy::parse(const boost::json::object& json) {
    Strategy strategy;
    const JsonReader root(json);
    strategy.source = json;
    check_options(root);
    strategy.name = root.text("name");
    read_training_data(root.object("training_data"), strategy);
    read_indicators(root, strategy);
    read_fuzzy_sets(root, strategy);
    const JsonReader model = root.object("model");
    read_model(model, strategy);
    check_features(root, strategy);
    read_options(model.object("training"), strategy.options);
    read_method(root.object("training"), strategy);
    if (root.error()) {
        return *root.error();
    }
    return strategy;
}

}  // namespace ktrdr
