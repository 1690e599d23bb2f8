#include "result_schema.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cmath>
#include <numeric>
#include <optional>

#include <ktrdr/market/time_text.hpp>
#include <ktrdr/models/safetensors.hpp>
#include <ktrdr/training/judgement.hpp>
#include <ktrdr/training/test_figures.hpp>
#include <ktrdr/training/training_result.hpp>

#include "figure.hpp"

namespace ktrdr {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

array names_of(const std::vector<Timeframe>& timeframes) {
    array names;
    for (const Timeframe& timeframe : timeframes) {
        names.emplace_back(timeframe.name());
    }
    return names;
}

/// Bars of each timeframe's own.
object of_each(const std::vector<Timeframe>& timeframes, std::optional<std::size_t> bars) {
    object counts;
    for (const Timeframe& timeframe : timeframes) {
        counts[timeframe.name()] = bars ? value(*bars) : value(nullptr);
    }
    return counts;
}

value scaling_of(const TrainingData& data) {
    if (!data.scaling) {
        return nullptr;
    }
    const auto& [mean, deviation] = *data.scaling;
    return {{"mean", array(mean.begin(), mean.end())}, {"deviation", array(deviation.begin(), deviation.end())}};
}

array class_names() {
    return array(signal_names.begin(), signal_names.end());
}

value as_said(const std::optional<std::string>& date) {
    return date ? value(*date) : value(nullptr);
}

array history_of(const TrainedModel& model) {
    array history;
    for (const EpochReport& report : model.history) {
        history.emplace_back(object{{"epoch", report.epoch},
                                    {"train_loss", figure(report.train_loss)},
                                    {"train_accuracy", figure(report.train_accuracy)},
                                    {"val_loss", figure(report.val_loss)},
                                    {"val_accuracy", figure(report.val_accuracy)},
                                    {"learning_rate", figure(report.learning_rate)},
                                    {"best", report.best}});
    }
    return history;
}

object training_metrics(const TrainingOutcome& outcome) {
    const TrainedModel& model = outcome.model;
    EpochReport last{0, std::nan(""), std::nan(""), std::nan(""), std::nan(""), std::nan(""), false};
    if (!model.history.empty()) {
        last = model.history.back();
    }
    return {{"final_train_loss", figure(last.train_loss)},
            {"final_val_loss", figure(last.val_loss)},
            {"final_train_accuracy", figure(last.train_accuracy)},
            {"final_val_accuracy", figure(last.val_accuracy)},
            {"epochs_completed", model.history.size()},
            {"early_stopped", model.early_stopped},
            {"training_time_minutes", figure(model.train_seconds / 60)},
            {"best_epoch", model.best_epoch == 0 ? value(nullptr) : value(model.best_epoch)},
            {"final_learning_rate", figure(last.learning_rate)}};
}

/// Of the epoch whose weights are kept.
object validation_metrics(const TrainedModel& model) {
    for (const EpochReport& report : model.history) {
        if (report.epoch == model.best_epoch) {
            return {{"val_loss", figure(report.val_loss)}, {"val_accuracy", figure(report.val_accuracy)}};
        }
    }
    return {{"val_loss", nullptr}, {"val_accuracy", nullptr}};
}

array matrix_of(const ConfusionMatrix& confusion) {
    array rows;
    for (const auto& row : confusion) {
        rows.emplace_back(array(row.begin(), row.end()));
    }
    return rows;
}

array per_class(const ConfusionMatrix& confusion) {
    array classes;
    for (std::size_t k = 0; k < confusion.size(); ++k) {
        const ClassFigures figures = class_figures(confusion, k);
        classes.emplace_back(object{{"class", signal_names[k]},
                                    {"rows", figures.rows},
                                    {"precision", figure(figures.precision)},
                                    {"recall", figure(figures.recall)},
                                    {"f1_score", figure(figures.f1)}});
    }
    return classes;
}

object test_metrics(const TestedRows& tested) {
    const ClassificationFigures figures = classification_figures(tested.test.confusion);
    return {{"test_loss", figure(tested.test.loss)},
            {"test_accuracy", figure(figures.accuracy)},
            {"precision", figure(figures.precision)},
            {"recall", figure(figures.recall)},
            {"f1_score", figure(figures.f1)},
            {"classes", class_names()},
            {"confusion_matrix", matrix_of(tested.test.confusion)},
            {"per_class", per_class(tested.test.confusion)}};
}

Result<object> baselines(const TestedRows& tested, const WorkCheck& check) {
    const auto& train = tested.data.rows.train.labels;
    const auto& test = tested.data.rows.test.labels;
    const auto persistence = persistence_of(test, {tested.data.test_closes, tested.data.test_known},
                                            tested.data.test_rows_of_symbols(), check);
    if (!persistence) {
        return persistence.error();
    }
    return object{{"class_prior", figure(class_prior(train, test))},
                  {"most_frequent_class", train.empty() ? value(nullptr) : value(signal_names[most_frequent(train)])},
                  {"majority", figure(class_prior(test, test))},
                  {"persistence", figure(persistence->accuracy)},
                  {"persistence_rows", persistence->rows},
                  {"random_walk", tested.random_walk}};
}

std::optional<double> number_in(const value* found) {
    boost::system::error_code odd;
    const double number = found != nullptr && found->is_number() ? found->to_number<double>(odd) : std::nan("");
    return std::isfinite(number) && !odd ? std::optional(number) : std::nullopt;
}

/// What the same training gained on a random walk; nothing without such a walk. It may be of a file that anybody wrote.
std::optional<WalkGain> gain_on_walk(const object& walk) {
    const value* const interval = walk.if_contains("gain_over_prior");
    const array* const ends = interval == nullptr ? nullptr : interval->if_array();
    const auto high = number_in(ends == nullptr ? nullptr : ends->if_contains(1));
    const auto accuracy = number_in(walk.if_contains("test_accuracy"));
    const auto prior = number_in(walk.if_contains("class_prior"));
    return high && accuracy && prior ? std::optional(WalkGain{*accuracy - *prior, *high}) : std::nullopt;
}

Result<object> confidence(const TestedRows& tested, const WorkCheck& check) {
    const auto& train = tested.data.rows.train.labels;
    const std::string always =
        fmt::format("saying {}", train.empty() ? std::string_view("nothing") : signal_names[most_frequent(train)]);
    const auto window = tested_window(tested.context, tested.data, tested.test.predicted, check);
    if (!window) {
        return window.error();
    }
    auto judged = judgement(window->outcomes, window->horizon, always, gain_on_walk(tested.random_walk), check);
    if (judged) {
        (*judged)["outcomes"] = tested.context.test_from ? value(to_json(*window)) : value(nullptr);
    }
    return judged;
}

Result<object> calibration(const TestedRows& tested, const WorkCheck& check) {
    const auto found = calibration_of(tested.test, tested.data.rows.test.labels, check);
    if (!found) {
        return found.error();
    }
    array bins;
    for (const ReliabilityBin& bin : found->bins) {
        bins.emplace_back(object{{"from", bin.from},
                                 {"to", bin.to},
                                 {"rows", bin.rows},
                                 {"confidence", figure(bin.confidence)},
                                 {"accuracy", figure(bin.accuracy)}});
    }
    return object{{"expected_calibration_error", figure(found->error)}, {"bins", std::move(bins)}};
}

Result<object> per_symbol(const TestedRows& tested, const WorkCheck& check) {
    const auto& labels = tested.data.rows.test.labels;
    object symbols;
    std::size_t first = 0;
    for (const SymbolSummary& one : tested.data.symbols) {
        if (auto go = check(fmt::format("counting what is right of {}", one.symbol)); !go) {
            return go.error();
        }
        ConfusionMatrix confusion(signal_names.size(), std::vector<std::int64_t>(signal_names.size()));
        for (std::size_t row = first; row < first + one.test; ++row) {
            ++confusion[static_cast<std::size_t>(labels[row])][static_cast<std::size_t>(tested.test.predicted[row])];
        }
        const std::vector<std::int64_t> own(labels.begin() + static_cast<std::ptrdiff_t>(first),
                                            labels.begin() + static_cast<std::ptrdiff_t>(first + one.test));
        symbols[one.symbol] = {{"rows", one.test},
                               {"test_accuracy", figure(classification_figures(confusion).accuracy)},
                               {"class_prior", figure(class_prior(tested.data.rows.train.labels, own))},
                               {"confusion_matrix", matrix_of(confusion)}};
        first += one.test;
    }
    return symbols;
}

value importance(const TrainingOutcome& outcome) {
    if (outcome.importance.empty()) {
        return nullptr;
    }
    object lost;
    for (std::size_t i = 0; i < outcome.importance.size(); ++i) {
        lost[outcome.data.feature_names[i]] = figure(outcome.importance[i]);
    }
    return lost;
}

object data_summary(const TrainingData& data) {
    array symbols;
    for (const SymbolSummary& one : data.symbols) {
        symbols.emplace_back(object{{"symbol", one.symbol},
                                    {"bars", one.bars},
                                    {"first_bar", format_time(one.first)},
                                    {"last_bar", format_time(one.last)},
                                    {"warm_up", one.dropped[DropReason::warm_up]},
                                    {"hole", one.dropped[DropReason::hole]},
                                    {"nan", one.dropped[DropReason::nan]},
                                    {"undecided", one.dropped[DropReason::undecided]},
                                    {"purged", one.dropped[DropReason::purged]},
                                    {"train", one.train},
                                    {"validation", one.validation},
                                    {"test", one.test}});
    }
    array breaks;
    for (const BarBreak& one : data.breaks) {
        breaks.emplace_back(object{{"symbol", one.symbol},
                                   {"timeframe", one.timeframe.name()},
                                   {"at", format_time(one.at)},
                                   {"ratio", one.ratio}});
    }
    array holes;
    for (const SeriesHole& one : data.holes) {
        holes.emplace_back(object{{"symbol", one.symbol},
                                  {"timeframe", one.timeframe.name()},
                                  {"from", format_time(one.range.start)},
                                  {"to", format_time(one.range.end)},
                                  {"sessions", one.sessions == 0 ? value(nullptr) : value(one.sessions)}});
    }
    std::array<std::int64_t, signal_names.size()> counts{};
    for (const std::int64_t label : data.rows.train.labels) {
        ++counts[static_cast<std::size_t>(label)];
    }
    object classes;
    for (std::size_t k = 0; k < counts.size(); ++k) {
        classes[signal_names[k]] = counts[k];
    }
    return {
        {"features", data.feature_names.size()},
        {"rows",
         {{"train", data.rows.train.rows}, {"validation", data.rows.validation.rows}, {"test", data.rows.test.rows}}},
        {"train_classes", std::move(classes)},
        {"validation_from", format_time(data.cuts.validation)},
        {"test_from", format_time(data.cuts.test)},
        {"symbols", std::move(symbols)},
        {"holes", std::move(holes)},
        {"basis_breaks", std::move(breaks)}};
}

/// What a model's bars were, for whoever hands it others.
array series_of(const TrainingData& data) {
    array series;
    for (const SeriesBasis& one : data.series) {
        series.emplace_back(object{{"symbol", one.symbol},
                                   {"timeframe", one.timeframe},
                                   {"what_to_show", one.what_to_show},
                                   {"calendar", one.calendar},
                                   {"provider", one.provider},
                                   {"asset_class", one.asset_class},
                                   {"session", one.session}});
    }
    return series;
}

object session_info(const TrainingOutcome& outcome) {
    const TrainingOperationContext& context = outcome.context;
    return {{"operation_id", outcome.operation_id},
            {"session_id", outcome.operation_id},
            {"strategy_name", context.strategy.name},
            {"symbols", array(context.symbols.begin(), context.symbols.end())},
            {"timeframes", names_of(context.timeframes)},
            {"training_mode", "local"},
            {"use_host_service", false},
            {"start_date", as_said(context.start_date)},
            {"end_date", as_said(context.end_date)},
            {"test_from", as_said(context.test_from)},
            {"host_status", nullptr},
            {"data_summary", data_summary(outcome.data)}};
}

std::int64_t parameter_count(const TrainedModel& model) {
    return std::accumulate(model.parameters.begin(), model.parameters.end(), std::int64_t{0},
                           [](std::int64_t sum, const NamedTensor& tensor) {
                               return sum + static_cast<std::int64_t>(tensor.values.size());
                           });
}

std::string architecture(const ModelSpec& spec) {
    std::vector<std::int64_t> sizes{static_cast<std::int64_t>(spec.inputs)};
    sizes.insert(sizes.end(), spec.hidden_layers.begin(), spec.hidden_layers.end());
    sizes.push_back(static_cast<std::int64_t>(spec.classes));
    return fmt::format("mlp {}", fmt::join(sizes, "-"));
}

object model_config(const TrainingOutcome& outcome) {
    const TrainingOperationContext& context = outcome.context;
    const ModelSpec& spec = outcome.spec;
    return {{"strategy", context.strategy.source},
            {"strategy_path", context.strategy_path},
            {"symbols", array(context.symbols.begin(), context.symbols.end())},
            {"timeframes", names_of(context.timeframes)},
            {"base_timeframe", context.base_timeframe().name()},
            {"start_date", as_said(context.start_date)},
            {"end_date", as_said(context.end_date)},
            {"test_from", as_said(context.test_from)},
            {"what_to_show", as_said(context.series.what_to_show)},
            {"session", as_said(context.series.session)},
            {"data_split",
             {{"train", context.split.train}, {"validation", context.split.validation}, {"test", context.split.test}}},
            {"model",
             {{"type", "mlp"},
              {"inputs", spec.inputs},
              {"hidden_layers", array(spec.hidden_layers.begin(), spec.hidden_layers.end())},
              {"classes", spec.classes},
              {"activation", spec.activation},
              {"dropout", spec.dropout}}}};
}

}  // namespace

Result<object> test_figures(const TestedRows& tested, const WorkCheck& check) {
    using Part = Result<object> (*)(const TestedRows&, const WorkCheck&);
    constexpr std::array<std::pair<std::string_view, Part>, 4> parts{{{"baselines", baselines},
                                                                      {"confidence", confidence},
                                                                      {"calibration", calibration},
                                                                      {"per_symbol", per_symbol}}};
    object figures{{"test_metrics", test_metrics(tested)}};
    for (const auto& [name, part] : parts) {
        auto found = part(tested, check);
        if (!found) {
            return found.error();
        }
        figures[name] = std::move(*found);
    }
    return figures;
}

Result<object> result_figures(const TrainingOutcome& outcome, const WorkCheck& check) {
    object figures{{"training_metrics", training_metrics(outcome)},
                   {"validation_metrics", validation_metrics(outcome.model)}};
    auto tested = test_figures({outcome.context, outcome.data, outcome.test, outcome.random_walk}, check);
    if (!tested) {
        return tested.error();
    }
    for (auto& [name, part] : *tested) {
        figures[name] = std::move(part);
    }
    figures["feature_importance"] = importance(outcome);
    figures["history"] = history_of(outcome.model);
    return figures;
}

object make_result(const TrainingOutcome& outcome, object figures, const SavedModel& saved, std::size_t model_bytes,
                   std::optional<std::uint64_t> peak_bytes) {
    object result = std::move(figures);
    const std::string& device = outcome.context.strategy.options.device;
    result["resource_usage"] = {
        {"gpu_used", device == "cuda" || device == "mps"},
        {"gpu_name", nullptr},
        {"gpu_utilization_percent", nullptr},
        {"peak_memory_mb", peak_bytes ? value(static_cast<double>(*peak_bytes) / 1e6) : value(nullptr)},
        {"training_mode", "local"}};
    result["artifacts"] = {{"model_path", saved.path.string()},
                           {"analytics_dir", nullptr},
                           {"checkpoints", array()},
                           {"feature_importance", result.at("feature_importance")},
                           {"per_symbol_metrics", result.at("per_symbol")}};
    result["session_info"] = session_info(outcome);
    const std::int64_t parameters = parameter_count(outcome.model);
    result["model_info"] = {{"model_size_bytes", model_bytes},
                            {"parameters_count", parameters},
                            {"trainable_parameters", parameters},
                            {"architecture", architecture(outcome.spec)}};
    return result;
}

ModelContent make_content(const TrainingOutcome& outcome, const object& figures, UtcTime created) {
    const TrainingOperationContext& context = outcome.context;
    const FeaturePlan& plan = context.strategy.features;
    const std::string shape = architecture(outcome.spec);
    ModelContent content;
    content.safetensors = encode_safetensors(outcome.model.parameters, {{"format", "pt"}, {"architecture", shape}});
    content.config = model_config(outcome);
    content.metrics = figures;
    content.features = {{"names", array(outcome.data.feature_names.begin(), outcome.data.feature_names.end())},
                        {"classes", class_names()},
                        {"warm_up_bars", of_each(context.timeframes, warm_up_bars(plan))},
                        {"history_bars", of_each(context.timeframes, history_bars(plan))},
                        {"lookback_periods", plan.lags},
                        {"include_price_context", plan.price_context},
                        {"scaling", scaling_of(outcome.data)},
                        {"base_timeframe", context.base_timeframe().name()}};
    content.metadata = {{"strategy_name", context.strategy.name},
                        {"operation_id", outcome.operation_id},
                        {"created", format_time(created)},
                        {"architecture", shape},
                        {"parameters_count", parameter_count(outcome.model)},
                        {"seed", context.strategy.options.seed},
                        {"best_epoch", outcome.model.best_epoch},
                        {"series", series_of(outcome.data)},
                        {"data_summary", data_summary(outcome.data)}};
    return content;
}

}  // namespace ktrdr
