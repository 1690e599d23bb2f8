#include "check_input.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <span>
#include <string_view>

namespace ktrdr {
namespace {

using Names = std::span<const std::string_view>;

Error refuse(std::string_view field, const std::string& value, std::string_view rule) {
    std::string message = "Cannot train: ";
    message.append(field).append(" is ").append(value).append("; it must be ").append(rule).append(".");
    return fail(Errc::invalid_argument, std::move(message), {{"field", field}, {"value", value}});
}

Result<void> check_name(std::string_view field, const std::string& value, Names allowed) {
    if (std::ranges::find(allowed, value) != allowed.end()) {
        return {};
    }
    std::string rule = "one of";
    for (const std::string_view name : allowed) {
        rule.append(name == allowed.front() ? " " : ", ").append(name);
    }
    return refuse(field, "\"" + value + "\"", rule);
}

Result<void> check_model(const ModelSpec& model) {
    if (model.inputs < 1) {
        return refuse("model.inputs", std::to_string(model.inputs), "at least 1");
    }
    if (model.classes < 2) {
        return refuse("model.classes", std::to_string(model.classes), "at least 2");
    }
    for (const std::int64_t width : model.hidden_layers) {
        if (width < 1) {
            return refuse("model.hidden_layers", std::to_string(width), "at least 1 in each layer");
        }
    }
    if (!(model.dropout >= 0 && model.dropout < 1)) {
        return refuse("model.dropout", number_text(model.dropout), "at least 0 and below 1");
    }
    return check_name("model.activation", model.activation, activation_names);
}

bool positive(double value) {
    return std::isfinite(value) && value > 0;
}

Result<void> check_stopping(const EarlyStopping& stopping) {
    if (stopping.patience < 1) {
        return refuse("early_stopping.patience", std::to_string(stopping.patience), "at least 1");
    }
    if (!(std::isfinite(stopping.min_delta) && stopping.min_delta >= 0)) {
        return refuse("early_stopping.min_delta", number_text(stopping.min_delta), "at least 0");
    }
    return check_name("early_stopping.monitor", stopping.monitor, monitor_names);
}

Result<void> check_schedule(const LearningRateSchedule& schedule) {
    if (schedule.step_size < 1) {
        return refuse("lr_scheduler.step_size", std::to_string(schedule.step_size), "at least 1");
    }
    if (!(schedule.gamma > 0 && schedule.gamma < 1)) {
        return refuse("lr_scheduler.gamma", number_text(schedule.gamma), "above 0 and below 1");
    }
    if (schedule.patience < 0) {
        return refuse("lr_scheduler.patience", std::to_string(schedule.patience), "at least 0");
    }
    return check_name("lr_scheduler.type", schedule.type, schedule_names);
}

Result<void> check_options(const TrainerOptions& options, std::size_t classes) {
    if (!positive(options.learning_rate)) {
        return refuse("learning_rate", number_text(options.learning_rate), "above 0");
    }
    if (options.batch_size < 1) {
        return refuse("batch_size", std::to_string(options.batch_size), "at least 1");
    }
    if (options.epochs < 1) {
        return refuse("epochs", std::to_string(options.epochs), "at least 1");
    }
    if (!(std::isfinite(options.weight_decay) && options.weight_decay >= 0)) {
        return refuse("weight_decay", number_text(options.weight_decay), "at least 0");
    }
    if (options.gradient_clip && !positive(*options.gradient_clip)) {
        return refuse("gradient_clip", number_text(*options.gradient_clip), "above 0, or unset");
    }
    if (!options.class_weights.empty() && options.class_weights.size() != classes) {
        return refuse("class_weights", std::to_string(options.class_weights.size()) + " numbers",
                      "empty or one number for each of the " + std::to_string(classes) + " classes");
    }
    for (const double weight : options.class_weights) {
        if (!positive(weight)) {
            return refuse("class_weights", number_text(weight), "above 0 for each class");
        }
    }
    if (options.early_stopping) {
        if (auto stopping = check_stopping(*options.early_stopping); !stopping) {
            return stopping;
        }
    }
    if (auto schedule = check_schedule(options.schedule); !schedule) {
        return schedule;
    }
    if (auto device = check_name("device", options.device, device_names); !device) {
        return device;
    }
    return check_name("optimizer", options.optimizer, optimizer_names);
}

/// Labels, weights and values of a part of the right shape.
Result<void> check_rows(const std::string& part, const LabeledMatrix& matrix, const ModelSpec& model) {
    const auto of_row = [&part](std::string_view what, std::size_t row) {
        return std::string(what) + " of row " + std::to_string(row) + " of the " + part + " part";
    };
    for (std::size_t row = 0; row < matrix.rows; ++row) {
        const std::int64_t label = matrix.labels[row];
        if (label < 0 || label >= static_cast<std::int64_t>(model.classes)) {
            return refuse(of_row("label", row), std::to_string(label),
                          "at least 0 and below " + std::to_string(model.classes));
        }
    }
    for (std::size_t row = 0; row < matrix.weights.size(); ++row) {
        if (!positive(static_cast<double>(matrix.weights[row]))) {
            return refuse(of_row("weight", row), number_text(static_cast<double>(matrix.weights[row])), "above 0");
        }
    }
    const auto wrong = std::ranges::find_if_not(matrix.values, [](float value) { return std::isfinite(value); });
    if (wrong != matrix.values.end()) {
        const auto place = static_cast<std::size_t>(wrong - matrix.values.begin());
        return refuse(of_row("feature " + std::to_string(place % matrix.columns), place / matrix.columns),
                      number_text(static_cast<double>(*wrong)), "a finite number");
    }
    return {};
}

Result<void> check_part(std::string_view part, const LabeledMatrix& matrix, const ModelSpec& model) {
    const std::string name{part};
    if (!matrix.weights.empty() && matrix.weights.size() != matrix.rows) {
        return refuse(name + " part", std::to_string(matrix.weights.size()) + " weights long",
                      "without weights, or with one for each of its " + std::to_string(matrix.rows) + " rows");
    }
    if (matrix.labels.size() != matrix.rows || matrix.values.size() != matrix.rows * matrix.columns) {
        return refuse(
            name + " part",
            std::to_string(matrix.values.size()) + " values and " + std::to_string(matrix.labels.size()) + " labels",
            std::to_string(matrix.rows) + " rows of " + std::to_string(matrix.columns) + " values with a label each");
    }
    if (matrix.rows > 0 && matrix.columns != model.inputs) {
        return refuse(name + " part", std::to_string(matrix.columns) + " columns wide",
                      std::to_string(model.inputs) + " columns wide like the model's input");
    }
    return check_rows(name, matrix, model);
}

Result<void> check_not_empty(std::string_view part, const LabeledMatrix& matrix) {
    if (matrix.rows > 0) {
        return {};
    }
    std::string message = "Cannot train: the ";
    message.append(part).append(" part has no rows. Take a longer range of dates or give that part a larger share.");
    return fail(Errc::not_enough_data, std::move(message), {{"part", part}});
}

/// What a training part of the right shape may still lack.
Result<void> check_enough(const LabeledMatrix& train, std::int64_t batch_size) {
    if (static_cast<std::int64_t>(train.rows) < batch_size) {
        return fail(Errc::not_enough_data,
                    "Cannot train: the training part has " + std::to_string(train.rows) +
                        " rows, fewer than one batch of " + std::to_string(batch_size) +
                        ". Lower batch_size or take a longer range of dates.",
                    {{"rows", train.rows}, {"batch_size", batch_size}});
    }
    const std::int64_t first = train.labels.front();
    if (std::ranges::all_of(train.labels, [first](std::int64_t label) { return label == first; })) {
        return fail(Errc::not_enough_data,
                    "Cannot train: all " + std::to_string(train.rows) + " rows of the training part have one label, " +
                        std::to_string(first) +
                        ", so there is nothing to tell apart. Change how bars are labelled or take a longer range of "
                        "dates.",
                    {{"label", first}});
    }
    return {};
}

}  // namespace

std::string number_text(double value) {
    std::array<char, 32> text{};
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
    return std::string{text.data(), error == std::errc{} ? end : text.data()};
}

Result<void> check_input(const TrainerInput& input) {
    if (auto checked = check_model(input.model); !checked) {
        return checked;
    }
    if (auto checked = check_options(input.options, input.model.classes); !checked) {
        return checked;
    }
    if (input.rows == nullptr) {
        return refuse("rows", "null", "the rows to train on");
    }
    const auto& [train, validation, test] = *input.rows;
    if (auto checked = check_not_empty("training", train); !checked) {
        return checked;
    }
    if (auto checked = check_not_empty("validation", validation); !checked) {
        return checked;
    }
    if (auto checked = check_part("training", train, input.model); !checked) {
        return checked;
    }
    if (auto checked = check_enough(train, input.options.batch_size); !checked) {
        return checked;
    }
    if (auto checked = check_part("validation", validation, input.model); !checked) {
        return checked;
    }
    return check_part("test", test, input.model);
}

}  // namespace ktrdr
