#include <ktrdr/training/strategy.hpp>

#include <boost/json/value_to.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <type_traits>

#include <ktrdr/market/symbol.hpp>
#include <ktrdr/market/timeframe.hpp>
#include <ktrdr/training/strategy_options.hpp>

#include "json_reader.hpp"

namespace ktrdr {
namespace {

/// Keys of a strategy that are no options.
constexpr std::array<std::string_view, 6> other_keys{"training_data.symbols.list",
                                                     "training_data.timeframes.list",
                                                     "training_data.timeframes.base_timeframe",
                                                     "indicators",
                                                     "fuzzy_sets",
                                                     "nn_inputs"};

bool is_section_of(std::string_view path, std::string_view key) {
    return key.size() > path.size() && key.starts_with(path) && key[path.size()] == '.';
}

bool is_key(std::string_view path) {
    return find_strategy_option(path) != nullptr || std::ranges::find(other_keys, path) != other_keys.end();
}

bool is_section(std::string_view path) {
    return std::ranges::any_of(strategy_options(), [path](const auto& one) { return is_section_of(path, one.path); }) ||
           std::ranges::any_of(other_keys, [path](std::string_view key) { return is_section_of(path, key); });
}

/// What no reader below would look at is refused: a key that counts for nothing is a mistake.
void check_sections(const JsonReader& section) {
    for (const std::string& key : section.keys()) {
        const std::string path = section.path().empty() ? key : fmt::format("{}.{}", section.path(), key);
        const bool one_key = key.find('.') == std::string::npos;
        if (one_key && is_section(path)) {
            check_sections(section.object(key));
        } else if (!one_key || !is_key(path)) {
            section.fail_at(key, "there is no such key");
        }
    }
}

void check_keys(const JsonReader& item, std::initializer_list<std::string_view> known) {
    for (const std::string& key : item.keys()) {
        if (std::ranges::find(known, key) == known.end()) {
            item.fail_at(key, fmt::format("there is no such key; there are {}", fmt::join(known, ", ")));
        }
    }
}

/// Said for readers, but never against the list beside it.
void check_mode(const JsonReader& section, std::size_t count) {
    const auto& mode = section.option("mode");
    if (mode.is_string() && count > 0 && std::string_view(mode.get_string()).starts_with("single") != (count == 1)) {
        section.fail_at(
            "mode", fmt::format("says {}, but {} named: change it or leave it out", std::string_view(mode.get_string()),
                                count == 1 ? "one is" : fmt::format("{} are", count)));
    }
}

bool is_template(std::string_view text) {
    return text.find("{{") != std::string_view::npos || text.find("${") != std::string_view::npos;
}

/// A training takes each once.
void check_no_twins(const JsonReader& section, std::vector<std::string> names) {
    std::ranges::sort(names);
    if (const auto twin = std::ranges::adjacent_find(names); twin != names.end()) {
        section.fail_at("list", fmt::format("'{}' is named twice; leave one out", *twin));
    }
}

void check_timeframes(const JsonReader& section, std::string_view key, const std::vector<std::string>& names) {
    for (const std::string& name : names) {
        if (auto timeframe = Timeframe::parse(name); !timeframe) {
            section.fail_at(key, timeframe.error().message);
        }
    }
}

void read_symbols(const JsonReader& symbols, Strategy& strategy) {
    strategy.symbols = symbols.texts("list");
    std::vector<std::string> meant;
    for (const std::string& name : strategy.symbols) {
        if (is_template(name)) {
            symbols.fail_at("list", fmt::format("'{}' is a template: fill it in before it is read", name));
        } else if (auto symbol = parse_symbol(name, "symbols"); !symbol) {
            symbols.fail_at("list", symbol.error().message);
        } else {
            meant.push_back(std::move(*symbol));
        }
    }
    check_no_twins(symbols, std::move(meant));
    check_mode(symbols, strategy.symbols.size());
}

void read_training_data(const JsonReader& data, Strategy& strategy) {
    read_symbols(data.object("symbols"), strategy);
    const JsonReader timeframes = data.object("timeframes");
    strategy.timeframes = timeframes.texts("list");
    check_timeframes(timeframes, "list", strategy.timeframes);
    check_no_twins(timeframes, strategy.timeframes);
    check_mode(timeframes, strategy.timeframes.size());
    strategy.base_timeframe =
        timeframes.text("base_timeframe", strategy.timeframes.empty() ? "" : strategy.timeframes.front());
    if (std::ranges::find(strategy.timeframes, strategy.base_timeframe) == strategy.timeframes.end()) {
        timeframes.fail_at("base_timeframe", fmt::format("'{}' is not in the list", strategy.base_timeframe));
    }
    strategy.history_required = data.option("history_required").to_number<std::size_t>();
}

void read_indicators(const JsonReader& root, Strategy& strategy) {
    for (const JsonReader& item : root.objects("indicators")) {
        check_keys(item, {"name", "feature_id", "source", "params"});
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

/// The sets of one key of `fuzzy_sets`; at least one.
std::vector<NamedFuzzySet> read_sets(const JsonReader& all, const std::string& key) {
    std::vector<NamedFuzzySet> read;
    const JsonReader sets = all.object(key);
    for (const std::string& name : sets.keys()) {
        const JsonReader set = sets.object(name);
        check_keys(set, {"type", "parameters"});
        auto made = FuzzySet::make(set.text("type"), set.numbers("parameters"));
        if (!made) {
            sets.fail_at(name, made.error().message);
            return read;
        }
        read.push_back({name, *made});
    }
    return read;
}

void read_fuzzy_sets(const JsonReader& root, Strategy& strategy) {
    const JsonReader all = root.object("fuzzy_sets");
    for (const std::string& key : all.keys()) {
        const auto [source, output] = find_input(strategy.features.sources, key);
        if (source == nullptr) {
            all.fail_at(key, "there is no indicator with that feature_id (or feature_id.output)");
            return;
        }
        source->inputs.push_back({key, output, read_sets(all, key), {}});
    }
    for (const FeatureSource& source : strategy.features.sources) {
        if (std::ranges::all_of(source.inputs, [](const FuzzyInput& input) { return input.sets.empty(); })) {
            root.fail_at("fuzzy_sets",
                         fmt::format("indicator '{}' has no fuzzy set, so nothing would use it", source.feature_id));
        }
    }
}

std::vector<std::string> read_input_timeframes(const JsonReader& item, const Strategy& strategy) {
    const std::vector<std::string> named = item.texts("timeframes");
    for (const std::string& name : named) {
        if (std::ranges::find(strategy.timeframes, name) == strategy.timeframes.end()) {
            item.fail_at("timeframes", fmt::format("'{}' is not one of training_data.timeframes", name));
        }
    }
    return named;
}

/// The inputs in the order of a list, each with the indicator and the timeframes that it is of.
void read_inputs(const JsonReader& root, Strategy& strategy) {
    std::vector<FeatureSource> known;
    known.swap(strategy.features.sources);
    const JsonReader all = root.object("fuzzy_sets");
    std::set<std::string, std::less<>> used;
    for (const JsonReader& item : root.objects("nn_inputs")) {
        check_keys(item, {"fuzzy_set", "indicator", "timeframes"});
        const std::string key = item.text("fuzzy_set");
        const std::string indicator = item.text("indicator");
        const auto [source, output] = find_input(known, indicator);
        if (!all.has(key) || source == nullptr) {
            item.fail_at(all.has(key) ? "indicator" : "fuzzy_set",
                         fmt::format("there is no {} '{}'", all.has(key) ? "indicator" : "fuzzy set",
                                     all.has(key) ? indicator : key));
            return;
        }
        if (!used.insert(key).second) {
            item.fail_at("fuzzy_set", fmt::format("'{}' is there twice", key));
        }
        used.insert("indicator " + source->feature_id);
        auto& sources = strategy.features.sources;
        // An indicator that comes back behind another is computed again: the order of the list is the features' order.
        if (sources.empty() || sources.back().feature_id != source->feature_id) {
            sources.push_back({source->feature_id, source->indicator, {}});
        }
        sources.back().inputs.push_back({key, output, read_sets(all, key), read_input_timeframes(item, strategy)});
    }
    for (const std::string& key : all.keys()) {
        if (!used.contains(key)) {
            all.fail_at(key, "nothing in nn_inputs uses it");
        }
    }
    for (const FeatureSource& source : known) {
        if (!used.contains("indicator " + source.feature_id)) {
            root.fail_at("indicators", fmt::format("nothing in nn_inputs uses '{}'", source.feature_id));
        }
    }
}

/// Where each feature of a timeframe comes from, in the order of `feature_names`.
std::vector<std::string> feature_places(const FeaturePlan& plan, std::string_view timeframe) {
    std::vector<std::string> places;
    for (const FeatureSource& source : plan.sources) {
        for (const FuzzyInput& input : source.inputs) {
            for (const NamedFuzzySet& set : input.sets) {
                const std::size_t features = is_read_on(input, timeframe) ? plan.lags + 1 : 0;
                places.insert(places.end(), features, fmt::format("fuzzy_sets.{}.{}", input.key, set.name));
            }
        }
    }
    return places;
}

void check_names(const JsonReader& root, const FeaturePlan& plan, const Timeframe& timeframe) {
    const std::vector<std::string> names = feature_names(plan, std::array{timeframe});
    std::vector<std::string> places = feature_places(plan, timeframe.name());
    places.resize(names.size(), "model.features.include_price_context");
    if (names.empty()) {
        root.fail_at("nn_inputs", fmt::format("none of them is of the timeframe {}", timeframe.name()));
    }
    std::map<std::string_view, std::string_view> seen;
    for (std::size_t i = 0; i < names.size(); ++i) {
        const auto [first, is_new] = seen.emplace(names[i], places[i]);
        if (!is_new) {
            const std::string name = names[i].substr(timeframe.name().size() + 1);
            root.fail_at(places[i],
                         fmt::format("two features would be called '{}': one of {}, one of {} (the names of a feature, "
                                     "its set and its lag are joined by _); rename one",
                                     name, first->second, places[i]));
        }
    }
}

void check_features(const JsonReader& root, const Strategy& strategy) {
    if (strategy.features.sources.empty()) {
        root.fail_at("indicators", "at least one indicator is needed");
        return;
    }
    for (const std::string& name : strategy.timeframes) {
        if (const auto timeframe = Timeframe::parse(name)) {
            check_names(root, strategy.features, *timeframe);
        }
    }
}

void check_deployment(const JsonReader& timeframes) {
    const std::vector<std::string> supported = timeframes.texts("supported");
    check_timeframes(timeframes, "supported", supported);
    check_mode(timeframes, supported.size());
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
    const JsonReader labels = training.object("labels");
    read_labels(labels, strategy.labels);
    strategy.weigh_labels = labels.option("weights").get_string() == "uniqueness";
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
    check_sections(root);
    check_options(root);
    strategy.name = root.text("name");
    read_training_data(root.object("training_data"), strategy);
    read_indicators(root, strategy);
    if (root.has("nn_inputs")) {
        read_inputs(root, strategy);
    } else {
        read_fuzzy_sets(root, strategy);
    }
    const JsonReader model = root.object("model");
    read_model(model, strategy);
    check_features(root, strategy);
    check_deployment(root.object("deployment").object("timeframes"));
    read_options(model.object("training"), strategy.options);
    read_method(root.object("training"), strategy);
    if (root.error()) {
        return *root.error();
    }
    return strategy;
}

}  // namespace ktrdr
