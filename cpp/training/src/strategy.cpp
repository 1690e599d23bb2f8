#include <ktrdr/training/strategy.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <set>

#include <ktrdr/market/timeframe.hpp>

#include "json_reader.hpp"

namespace ktrdr {
namespace {

constexpr std::array<std::string_view, 1> model_types{"mlp"};
constexpr std::array<std::string_view, 5> activations{"relu", "tanh", "sigmoid", "leaky_relu", "gelu"};
constexpr std::array<std::string_view, 3> optimizers{"adam", "adamw", "sgd"};
constexpr std::array<std::string_view, 2> monitors{"val_loss", "val_accuracy"};
constexpr std::array<std::string_view, 1> label_sources{"forward_return"};

/// The name is a folder of the models directory.
bool is_folder_name(std::string_view name) {
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
               c == '.';
    };
    return !name.empty() && name.size() <= 64 && name.front() != '.' && std::ranges::all_of(name, plain);
}

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
    strategy.history_required = static_cast<std::size_t>(data.integer("history_required", 0, 0, 100'000'000));
}

void read_indicators(const JsonReader& root, Strategy& strategy) {
    for (const JsonReader& item : root.objects("indicators")) {
        const std::string name = item.text("name");
        const std::string id = item.text("feature_id", name);
        const JsonReader given = item.object("params");
        IndicatorParameters parameters;
        for (const std::string& key : given.keys()) {
            constexpr double most = std::numeric_limits<double>::max();
            parameters.emplace(key, given.number(key, {}, -most, most));
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

void read_model(const JsonReader& model, Strategy& strategy) {
    (void)model.choice("type", "mlp", model_types);
    const JsonReader architecture = model.object("architecture");
    if (architecture.has("hidden_layers")) {
        strategy.model.hidden_layers.clear();
        for (const double size : architecture.numbers("hidden_layers")) {
            if (!(size >= 1 && size <= 65536 && size == static_cast<double>(static_cast<std::int64_t>(size)))) {
                architecture.fail_at("hidden_layers", "each layer has a whole number of units from 1 to 65536");
                break;
            }
            strategy.model.hidden_layers.push_back(static_cast<std::int64_t>(size));
        }
    }
    strategy.model.activation = architecture.choice("activation", "relu", activations);
    strategy.model.dropout = architecture.number("dropout", 0.2, 0, 0.99);
    strategy.features.lags = static_cast<std::size_t>(model.object("features").integer("lookback_periods", 0, 0, 1000));
}

void read_options(const JsonReader& training, TrainerOptions& options) {
    options.learning_rate = training.number("learning_rate", 0.001, 1e-9, 100);
    options.batch_size = training.integer("batch_size", 32, 1, 1'000'000);
    options.epochs = training.integer("epochs", 100, 1, 1'000'000);
    options.optimizer = training.choice("optimizer", "adam", optimizers);
    options.weight_decay = training.number("weight_decay", 1e-4, 0, 10);
    if (training.has("gradient_clip")) {
        options.gradient_clip = training.number("gradient_clip", {}, 1e-9, 1e9);
    }
    options.seed = static_cast<std::uint64_t>(training.integer("seed", 0, 0, std::numeric_limits<std::int64_t>::max()));
    if (training.has("early_stopping")) {
        const JsonReader stopping = training.object("early_stopping");
        options.early_stopping =
            EarlyStopping{static_cast<int>(stopping.integer("patience", 10, 1, 1'000'000)),
                          stopping.number("min_delta", 0, 0, 1e9), stopping.choice("monitor", "val_loss", monitors)};
    }
}

void read_method(const JsonReader& training, Strategy& strategy) {
    const JsonReader labels = training.object("labels");
    (void)labels.choice("source", "forward_return", label_sources);
    strategy.labels.threshold = labels.number("threshold", 0.02, 0, 0.999);
    strategy.labels.lookahead = static_cast<std::size_t>(labels.integer("label_lookahead", 5, 1, 100'000));
    const JsonReader split = training.object("data_split");
    strategy.split = {split.number("train", 0.7, 0, 1), split.number("validation", 0.15, 0, 1),
                      split.number("test", 0.15, 0, 1)};
    if (auto checked = check_shares(strategy.split); !checked) {
        split.fail_at("", checked.error().message);
    }
}

}  // namespace

Result<Strategy> Strategy::parse(const boost::json::object& json) {
    Strategy strategy;
    const JsonReader root(json);
    strategy.source = json;
    strategy.name = root.text("name");
    if (!is_folder_name(strategy.name)) {
        root.fail_at("name", "it names a folder: 1 to 64 letters, digits, '_', '-' or '.', not beginning with '.'");
    }
    read_training_data(root.object("training_data"), strategy);
    read_indicators(root, strategy);
    read_fuzzy_sets(root, strategy);
    check_features(root, strategy);
    const JsonReader model = root.object("model");
    read_model(model, strategy);
    read_options(model.object("training"), strategy.options);
    read_method(root.object("training"), strategy);
    if (root.error()) {
        return *root.error();
    }
    return strategy;
}

}  // namespace ktrdr
