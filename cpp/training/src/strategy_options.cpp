#include <ktrdr/training/strategy_options.hpp>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <limits>
#include <regex>
#include <span>

#include <ktrdr/features/labels.hpp>
#include <ktrdr/features/split.hpp>
#include <ktrdr/training/trainer.hpp>

namespace ktrdr {
namespace {

using boost::json::value;
using enum OptionType;

constexpr std::array<std::string_view, 6> type_names{"text", "flag", "integer", "number", "integers", "texts"};
constexpr std::array<std::string_view, 4> symbol_modes{"single", "multi", "single_symbol", "multi_symbol"};
constexpr std::array<std::string_view, 4> timeframe_modes{"single", "multi", "single_timeframe", "multi_timeframe"};
constexpr std::array<std::string_view, 3> deployments{"universal", "group_restricted", "training_only"};

std::vector<value> names_of(std::span<const std::string_view> names) {
    return std::vector<value>(names.begin(), names.end());
}

/// Defaults are those of the structures that the options are read into.
std::vector<StrategyOption> make_options() {
    const ModelSpec model;
    const TrainerOptions options;
    const EarlyStopping stopping;
    const LabelRule labels;
    const SplitShares split;
    const boost::json::array layers(model.hidden_layers.begin(), model.hidden_layers.end());
    return {
        {.path = "name",
         .required = true,
         .pattern = "[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}",
         .words = "What the strategy is called; it names a folder"},
        {.path = "description", .fallback = "", .words = "What it does"},
        {.path = "version", .fallback = "", .words = "Its own version, as a text"},
        {.path = "hypothesis", .fallback = "", .words = "Why it should work"},
        {.path = "scope", .fallback = "", .words = "What it is meant for"},
        {.path = "training_data.symbols.mode",
         .choices = names_of(symbol_modes),
         .words = "Whether it is trained on one symbol or on several; unset: as many as are named"},
        {.path = "training_data.timeframes.mode",
         .choices = names_of(timeframe_modes),
         .words = "Whether it sees one timeframe or several; unset: as many as are named"},
        {.path = "training_data.history_required",
         .type = integer,
         .fallback = 0,
         .least = 0,
         .most = 100'000'000,
         .words = "Fewest bars a series must have; 0: as many as the training needs"},
        {.path = "deployment.symbols.mode",
         .fallback = "training_only",
         .choices = names_of(deployments),
         .words = "On which symbols a trained model may be used"},
        {.path = "deployment.timeframes.mode",
         .choices = names_of(timeframe_modes),
         .words = "Whether a trained model may be used on one timeframe or on several; unset: as many as are named"},
        {.path = "deployment.timeframes.supported",
         .type = texts,
         .fallback = boost::json::array(),
         .words = "On which timeframes a trained model may be used"},
        {.path = "model.type", .fallback = "mlp", .choices = {"mlp"}, .words = "The kind of network"},
        {.path = "model.architecture.hidden_layers",
         .type = integers,
         .fallback = layers,
         .least = 1,
         .most = 65536,
         .words = "Units of each hidden layer"},
        {.path = "model.architecture.activation",
         .fallback = value(model.activation),
         .choices = names_of(activation_names),
         .words = "What each hidden unit does with its sum"},
        {.path = "model.architecture.output_activation",
         .fallback = "softmax",
         .choices = {"softmax"},
         .words = "What turns the last layer into chances of the classes"},
        {.path = "model.architecture.dropout",
         .type = number,
         .fallback = model.dropout,
         .least = 0,
         .most = 0.99,
         .words = "Share of hidden units left out of each step"},
        {.path = "model.features.include_price_context",
         .type = flag,
         .fallback = false,
         .words = "Whether a row holds what its bar says by itself, too: change, body, range and place of the close"},
        {.path = "model.features.lookback_periods",
         .type = integer,
         .fallback = 0,
         .least = 0,
         .most = 1000,
         .words = "How many earlier bars' memberships a row holds too"},
        {.path = "model.features.scale_features",
         .type = flag,
         .fallback = false,
         .words = "Whether features are centred and scaled by the mean and deviation of the rows that train"},
        {.path = "model.training.learning_rate",
         .type = number,
         .fallback = options.learning_rate,
         .least = 1e-9,
         .most = 100,
         .words = "How far a step moves the weights"},
        {.path = "model.training.batch_size",
         .type = integer,
         .fallback = options.batch_size,
         .least = 1,
         .most = 1'000'000,
         .words = "Rows of a step"},
        {.path = "model.training.epochs",
         .type = integer,
         .fallback = options.epochs,
         .least = 1,
         .most = 1'000'000,
         .words = "How often all rows are seen, at most"},
        {.path = "model.training.optimizer",
         .fallback = value(options.optimizer),
         .choices = names_of(optimizer_names),
         .words = "What turns gradients into steps"},
        {.path = "model.training.weight_decay",
         .type = number,
         .fallback = options.weight_decay,
         .least = 0,
         .most = 10,
         .words = "How strongly weights are drawn to 0"},
        {.path = "model.training.gradient_clip",
         .type = number,
         .least = 0,
         .open = true,
         .words = "Largest norm of the gradient; unset: none"},
        {.path = "model.training.early_stopping.patience",
         .type = integer,
         .fallback = stopping.patience,
         .least = 1,
         .most = 1'000'000,
         .words = "Epochs without a better one before the training stops"},
        {.path = "model.training.early_stopping.min_delta",
         .type = number,
         .fallback = stopping.min_delta,
         .least = 0,
         .words = "By how much an epoch must be better for the patience to begin anew"},
        {.path = "model.training.early_stopping.monitor",
         .fallback = value(stopping.monitor),
         .choices = names_of(monitor_names),
         .words = "The figure that says which epoch is better"},
        {.path = "model.training.lr_scheduler.type",
         .fallback = "none",
         .choices = names_of(schedule_names),
         .words = "How the learning rate falls: never, every few epochs, after each, or where nothing gets better"},
        {.path = "model.training.lr_scheduler.step_size",
         .type = integer,
         .least = 1,
         .most = 1'000'000,
         .words = "Epochs between two falls of type step; unset: 10"},
        {.path = "model.training.lr_scheduler.gamma",
         .type = number,
         .least = 0,
         .most = 1,
         .open = true,
         .words = "What a fall multiplies the learning rate by; unset: 0.1"},
        {.path = "model.training.lr_scheduler.patience",
         .type = integer,
         .least = 0,
         .most = 1'000'000,
         .words = "Epochs in a row that may be no better before type plateau falls; unset: 10"},
        {.path = "model.training.class_weights",
         .fallback = "none",
         .choices = {"none", "balanced"},
         .words = "Whether a rare class counts as much as a frequent one"},
        {.path = "model.training.device",
         .fallback = value(options.device),
         .choices = names_of(device_names),
         .words = "Where it is trained; auto is the CPU, which is soonest done with networks of this kind"},
        {.path = "model.training.seed",
         .type = integer,
         .fallback = 0,
         .least = 0,
         .most = std::numeric_limits<std::int64_t>::max(),
         .words = "Where the random numbers begin: the same seed gives the same model"},
        {.path = "decisions.output_format",
         .fallback = "classification",
         .choices = {"classification"},
         .words = "What the model answers"},
        {.path = "decisions.confidence_threshold",
         .type = number,
         .fallback = 0.5,
         .least = 0,
         .most = 1,
         .words = "Chance from which a signal counts"},
        {.path = "decisions.position_awareness",
         .type = flag,
         .fallback = false,
         .words = "Whether the position held has a say"},
        {.path = "decisions.filters.min_signal_separation",
         .type = integer,
         .fallback = 0,
         .least = 0,
         .words = "Fewest bars between two signals"},
        {.path = "decisions.filters.volume_filter",
         .type = flag,
         .fallback = false,
         .words = "Whether thin volume silences a signal"},
        {.path = "training.method", .fallback = "supervised", .choices = {"supervised"}, .words = "How it learns"},
        {.path = "training.labels.source",
         .fallback = value(label_source_names.front()),
         .choices = names_of(label_source_names),
         .words = "What a bar is labelled by: the return to a later close, to the zigzag's next turn, or the first of "
                  "three barriers"},
        {.path = "training.labels.threshold",
         .type = number,
         .fallback = labels.threshold,
         .least = 0,
         .most = 0.999,
         .words = "The return above which a bar is buy, below whose negative sell; 0.02 is 2 %"},
        {.path = "training.labels.label_lookahead",
         .type = integer,
         .fallback = labels.lookahead,
         .least = 1,
         .most = 100'000,
         .words = "How many bars later that return is taken, at the latest"},
        {.path = "training.labels.zigzag_threshold",
         .type = number,
         .least = 0,
         .most = 1,
         .open = true,
         .words = "Of zigzag alone: from how large a move back a close is a turn; unset: 0.05"},
        {.path = "training.labels.stop_threshold",
         .type = number,
         .least = 0,
         .most = 0.999,
         .words = "Of triple_barrier alone: how far below the bar the lower barrier lies; unset: threshold"},
        {.path = "training.labels.weights",
         .fallback = "none",
         .choices = {"none", "uniqueness"},
         .words = "Whether a row that is learned from counts by how much of its label's time it shares with no other"},
        {.path = "training.data_split.train",
         .type = number,
         .fallback = split.train,
         .least = 0,
         .most = 1,
         .open = true,
         .words = "Share of the rows that is learned from, the oldest"},
        {.path = "training.data_split.validation",
         .type = number,
         .fallback = split.validation,
         .least = 0,
         .most = 1,
         .open = true,
         .words = "Share that says which epoch is best"},
        {.path = "training.data_split.test",
         .type = number,
         .fallback = split.test,
         .least = 0,
         .most = 1,
         .open = true,
         .words = "Share that is looked at once, the newest"},
        {.path = "training.data_split.embargo",
         .type = integer,
         .fallback = 0,
         .least = 0,
         .most = 100'000,
         .words = "Bars of the base timeframe between the end of a part's last label and the next part"},
    };
}

/// A value as a message shows it.
std::string shown(const value& any) {
    constexpr std::size_t most = 60;
    if (any.is_double()) {
        return fmt::format("{}", any.get_double());
    }
    if (any.is_array()) {
        std::vector<std::string> items;
        std::ranges::transform(any.get_array(), std::back_inserter(items), shown);
        return fmt::format("[{}]", fmt::join(items, ", "));
    }
    if (any.is_string()) {
        const std::string_view text = any.get_string();
        return fmt::format("'{}{}'", text.substr(0, most), text.size() > most ? "…" : "");
    }
    return boost::json::serialize(any);
}

/// Numbers compare by value, whole ones among themselves exactly.
bool is_less(const value& left, const value& right) {
    if (left.is_int64() && right.is_int64()) {
        return left.get_int64() < right.get_int64();
    }
    return left.to_number<double>() < right.to_number<double>();
}

/// False for NaN too.
bool in_range(const StrategyOption& option, const value& given) {
    const auto rises = [&option](const value& less, const value& more) {
        return option.open ? is_less(less, more) : is_less(less, more) || !is_less(more, less);
    };
    const bool is_number = !given.is_double() || given.get_double() == given.get_double();
    return is_number && (option.least.is_null() || rises(option.least, given)) &&
           (option.most.is_null() || rises(given, option.most));
}

bool is_whole(const value& given) {
    boost::system::error_code error;
    if (given.is_number()) {
        (void)given.to_number<std::int64_t>(error);
    }
    return given.is_number() && !error;
}

bool matches(std::string_view text, std::string_view pattern) {
    return std::regex_match(text.begin(), text.end(), std::regex(pattern.begin(), pattern.end()));
}

bool allows(const StrategyOption& option, const value& given) {
    if (!option.choices.empty()) {
        return std::ranges::find(option.choices, given) != option.choices.end();
    }
    const auto each = [&given](auto right) {
        return given.is_array() && std::ranges::all_of(given.get_array(), right);
    };
    switch (option.type) {
        case text: return given.is_string() && (option.pattern.empty() || matches(given.get_string(), option.pattern));
        case flag: return given.is_bool();
        case integer: return is_whole(given) && in_range(option, given);
        case number: return given.is_number() && in_range(option, given);
        case integers:
            return each([&option](const value& one) { return is_whole(one) && in_range(option, one); }) &&
                   !given.get_array().empty();
        case texts: return each([](const value& one) { return one.is_string(); });
    }
    return false;
}

std::string range_words(const StrategyOption& option) {
    std::vector<std::string> ends;
    if (!option.least.is_null()) {
        ends.push_back(
            fmt::format("{} {}", option.open ? "greater than" : "greater than or equal to", shown(option.least)));
    }
    if (!option.most.is_null()) {
        ends.push_back(fmt::format("{} {}", option.open ? "less than" : "at most", shown(option.most)));
    }
    return fmt::format("{}", fmt::join(ends, " and "));
}

std::string rule(const StrategyOption& option) {
    if (!option.choices.empty()) {
        std::vector<std::string> names;
        std::ranges::transform(option.choices, std::back_inserter(names), shown);
        return fmt::format("{}{}", names.size() > 1 ? "one of " : "", fmt::join(names, ", "));
    }
    switch (option.type) {
        case text: return option.pattern.empty() ? "a text" : fmt::format("a text of the pattern {}", option.pattern);
        case flag: return "true or false";
        case integer: return "a whole number " + range_words(option);
        case number: return "a number " + range_words(option);
        case integers: return "a list of at least one whole number, each " + range_words(option);
        case texts: return "a list of texts";
    }
    return {};
}

}  // namespace

const std::vector<StrategyOption>& strategy_options() {
    static const auto* const options = new std::vector<StrategyOption>(make_options());
    return *options;
}

const StrategyOption* find_strategy_option(std::string_view path) {
    const auto& options = strategy_options();
    const auto found = std::ranges::find(options, path, &StrategyOption::path);
    return found == options.end() ? nullptr : &*found;
}

std::optional<std::string> refusal(const StrategyOption& option, const value& given) {
    if (allows(option, given) || (given.is_null() && option.fallback.is_null() && !option.required)) {
        return std::nullopt;
    }
    if (given.is_bool() && (option.type == integer || option.type == number)) {
        return fmt::format("must be {}, not true or false", rule(option));
    }
    return fmt::format("must be {} (it is {})", rule(option), shown(given));
}

boost::json::object strategy_option_specs() {
    boost::json::object specs;
    for (const StrategyOption& option : strategy_options()) {
        specs[option.path] = {{"type", type_names[static_cast<std::size_t>(option.type)]},
                              {"default", option.fallback},
                              {"min", option.least},
                              {"max", option.most},
                              {"open", option.open},
                              {"required", option.required},
                              {"choices", boost::json::array(option.choices.begin(), option.choices.end())},
                              {"pattern", option.pattern},
                              {"help", option.words}};
    }
    return specs;
}

}  // namespace ktrdr
