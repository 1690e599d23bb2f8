#include <ktrdr/training/host_answers.hpp>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include <ktrdr/base/json.hpp>
#include <ktrdr/base/text.hpp>

namespace ktrdr {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

constexpr std::array<std::pair<std::string_view, SessionState>, 9> states{{{"initializing", SessionState::initializing},
                                                                           {"initialized", SessionState::initializing},
                                                                           {"pending", SessionState::initializing},
                                                                           {"queued", SessionState::initializing},
                                                                           {"running", SessionState::running},
                                                                           {"completed", SessionState::completed},
                                                                           {"failed", SessionState::failed},
                                                                           {"stopped", SessionState::stopped},
                                                                           {"cancelled", SessionState::stopped}}};

/// More epochs in a status than this are no list of figures.
constexpr std::size_t most_epochs = 1'000'000;

const object& object_in(const object& answer, std::string_view key) {
    static const object nothing;
    const value* const found = answer.if_contains(key);
    return found != nullptr && found->is_object() ? found->get_object() : nothing;
}

/// A figure as a whole number of at least 0; 0 for what is none.
std::int64_t whole(const object& answer, std::string_view key) {
    const value* const found = answer.if_contains(key);
    if (found == nullptr || !found->is_number()) {
        return 0;
    }
    const auto number = found->to_number<double>();
    constexpr double most = 1e15;
    return std::isfinite(number) ? static_cast<std::int64_t>(std::clamp(number, 0.0, most)) : 0;
}

double percent_in(const object& answer) {
    const value* const found = answer.if_contains("progress_percent");
    const double percent = found != nullptr && found->is_number() ? found->to_number<double>() : 0;
    return std::isfinite(percent) ? std::clamp(percent, 0.0, 100.0) : 0;
}

std::string text_in(const object& answer, std::string_view key, std::size_t limit = longest_text) {
    return kept_text(std::string(text_or_empty(answer, key)), limit);
}

bool is_figure(const value& one) {
    return one.is_null() || (one.is_number() && std::isfinite(one.to_number<double>()));
}

/// The last value of each metric, whether it is told alone or in a list.
object last_values(const object& metrics) {
    object last;
    for (const auto& [name, told] : metrics) {
        const value* one = &told;
        if (const array* const list = told.if_array()) {
            one = list->empty() ? nullptr : &list->back();
        }
        if (one != nullptr && is_figure(*one)) {
            last[name] = *one;
        }
    }
    return kept_json(std::move(last));
}

/// Lists of figures, one entry an epoch, as one object an epoch.
std::vector<object> epochs_of(const object& metrics) {
    std::vector<object> epochs;
    for (const auto& [name, told] : metrics) {
        const array* const list = told.if_array();
        if (list == nullptr || list->size() > most_epochs) {
            continue;
        }
        if (epochs.size() < list->size()) {
            epochs.resize(list->size());
        }
        for (std::size_t i = 0; i < list->size(); ++i) {
            if (is_figure((*list)[i])) {
                epochs[i][name] = (*list)[i];
            }
        }
    }
    for (std::size_t i = 0; i < epochs.size(); ++i) {
        epochs[i]["epoch"] = i + 1;
    }
    return epochs;
}

std::vector<std::string> texts_in(const object& answer, std::string_view key) {
    std::vector<std::string> texts;
    const value* const found = answer.if_contains(key);
    constexpr std::size_t most = 100;
    if (found != nullptr && found->is_array()) {
        for (const value& one : found->get_array()) {
            if (one.is_string() && texts.size() < most) {
                texts.push_back(kept_text(std::string(one.get_string())));
            }
        }
    }
    return texts;
}

/// What went wrong, in whatever form a host says it.
std::string error_in(const object& answer) {
    const value* const found = answer.if_contains("error");
    if (found == nullptr || found->is_null()) {
        return {};
    }
    if (found->is_object()) {
        return text_in(found->get_object(), "message");
    }
    return found->is_string() ? kept_text(std::string(found->get_string())) : std::string("the host says no more");
}

value metric_or_null(const object& metrics, std::string_view name) {
    const value* const found = metrics.if_contains(name);
    return found != nullptr && found->is_number() ? *found : value(nullptr);
}

/// The keys of every history; what else a host measures stays with the operation's metrics.
object epoch_of_table(const object& epoch) {
    object kept{{"epoch", epoch.at("epoch")}, {"best", nullptr}};
    for (const std::string_view name : {"train_loss", "train_accuracy", "val_loss", "val_accuracy", "learning_rate"}) {
        kept[name] = metric_or_null(epoch, name);
    }
    return kept;
}

array names_of(const TrainingOperationContext& context) {
    array names;
    for (const Timeframe& timeframe : context.timeframes) {
        names.emplace_back(timeframe.name());
    }
    return names;
}

void add_if(object& body, std::string_view key, const std::optional<std::string>& text) {
    if (text) {
        body[key] = *text;
    }
}

template <class Option>
void add_unless_usual(object& body, std::string_view key, const TrainingRequest& request,
                      Option TrainingRequest::* option) {
    static const TrainingRequest usual;
    if (request.*option != usual.*option) {
        body[key] = request.*option;
    }
}

/// Options of the training that are other than by default, and no part of the contract's table.
object additions_of(const TrainingRequest& request) {
    object added;
    add_unless_usual(added, "resume_from", request, &TrainingRequest::resume_from);
    add_unless_usual(added, "random_walk_baseline", request, &TrainingRequest::random_walk_baseline);
    add_unless_usual(added, "permutation_importance", request, &TrainingRequest::permutation_importance);
    add_unless_usual(added, "save_checkpoint", request, &TrainingRequest::save_checkpoint);
    add_unless_usual(added, "checkpoint_epochs", request, &TrainingRequest::checkpoint_epochs);
    add_unless_usual(added, "checkpoint_seconds", request, &TrainingRequest::checkpoint_seconds);
    return added;
}

std::string option_text(const value& option) {
    return option.is_double() ? fmt::format("{:g}", option.get_double()) : boost::json::serialize(option);
}

/// Those that say which bars are meant.
object data_additions_of(const TrainingRequest& request) {
    object added;
    add_if(added, "test_from", request.test_from);
    add_if(added, "what_to_show", request.series.what_to_show);
    add_if(added, "session", request.series.session);
    return added;
}

}  // namespace

object start_request(const TrainingRequest& request, const TrainingOperationContext& context,
                     const std::string& session_id) {
    const array symbols(context.symbols.begin(), context.symbols.end());
    const array timeframes = names_of(context);
    object training = additions_of(request);
    if (request.validation_split) {
        training["validation_split"] = *request.validation_split;
    }
    object data = data_additions_of(request);
    data["symbols"] = symbols;
    data["timeframes"] = timeframes;
    add_if(training, "test_from", request.test_from);
    for (object* const part : {&training, &data}) {
        add_if(*part, "start_date", request.start_date);
        add_if(*part, "end_date", request.end_date);
    }
    return {{"session_id", session_id},
            {"model_configuration",
             {{"strategy_config", request.strategy},
              {"symbols", symbols},
              {"timeframes", timeframes},
              {"model_type", "mlp"},
              {"multi_symbol", context.symbols.size() > 1}}},
            {"training_configuration", std::move(training)},
            {"data_configuration", std::move(data)}};
}

std::vector<std::string> passed_over(const TrainingRequest& request, const std::vector<std::string>& used) {
    std::vector<std::string> over;
    for (const object& added : {additions_of(request), data_additions_of(request)}) {
        for (const auto& [name, asked] : added) {
            if (std::ranges::find(used, name) == used.end()) {
                over.push_back(fmt::format("{}={}", std::string_view(name), option_text(asked)));
            }
        }
    }
    return over;
}

std::optional<std::int64_t> epoch_of(const object& metric) {
    const value* const number = metric.if_contains("epoch");
    if (number == nullptr || !number->is_number()) {
        return std::nullopt;
    }
    boost::system::error_code unreadable;
    const auto epoch = number->to_number<std::int64_t>(unreadable);
    return unreadable ? std::nullopt : std::optional(epoch);
}

Result<StartedSession> read_started(const value& answer) {
    StartedSession started;
    if (answer.is_object()) {
        started = {text_in(answer.get_object(), "session_id", longest_name), texts_in(answer.get_object(), "used")};
    }
    if (started.id.empty()) {
        return fail(Errc::protocol, "the host's answer to a start has no session_id");
    }
    return started;
}

RemoteSnapshot read_remote_progress(const object& told) {
    const object& progress = object_in(told, "progress");
    RemoteSnapshot snapshot;
    snapshot.epoch = whole(progress, "epoch");
    snapshot.total_epochs = whole(progress, "total_epochs");
    snapshot.batch = whole(progress, "batch");
    snapshot.total_batches = whole(progress, "total_batches");
    snapshot.percent = percent_in(progress);
    snapshot.items = whole(progress, "items_processed");
    snapshot.total_items = whole(progress, "items_total");
    snapshot.item = text_in(progress, "current_item", longest_name);
    snapshot.phase = text_in(progress, "phase", longest_name);
    snapshot.metrics = last_values(object_in(told, "metrics"));
    return snapshot;
}

Result<SessionSnapshot> read_session(const value& answer) {
    if (!answer.is_object()) {
        return fail(Errc::protocol, "the host's status of a session is no JSON object");
    }
    const object& told = answer.get_object();
    const std::string state = lower_ascii(text_or_empty(told, "status"));
    const auto* const known = std::ranges::find(states, std::string_view(state), &decltype(states)::value_type::first);
    if (known == states.end()) {
        return fail(Errc::protocol,
                    fmt::format("the host says that the session is {:?}, which is no state of a session",
                                kept_text(state, longest_name)));
    }
    SessionSnapshot session;
    session.state = known->second;
    session.progress = read_remote_progress(told);
    session.epochs = epochs_of(object_in(told, "metrics"));
    session.error = error_in(told);
    session.error_code = text_in(told, "error_code", longest_name);
    session.warnings = texts_in(told, "warnings");
    session.interrupted = text_or_empty(told, "operation_status") == "interrupted";
    session.has_additions = told.contains("operation_status");
    if (const value* const result = told.if_contains("result"); result != nullptr && result->is_object()) {
        // A copy in memory of its own: the answer's is one block.
        session.result = object(result->get_object(), boost::json::storage_ptr{});
    }
    return session;
}

object result_of_table(const SessionSnapshot& session, const TrainingOperationContext& context) {
    const object& last = session.progress.metrics;
    const auto figure = [&last](std::string_view name) { return metric_or_null(last, name); };
    array history;
    for (const object& epoch : session.epochs) {
        history.emplace_back(epoch_of_table(epoch));
    }
    return {{"training_metrics",
             {{"final_train_loss", figure("train_loss")},
              {"final_val_loss", figure("val_loss")},
              {"final_train_accuracy", figure("train_accuracy")},
              {"final_val_accuracy", figure("val_accuracy")},
              {"epochs_completed", session.progress.epoch > 0 ? value(session.progress.epoch) : value(nullptr)},
              {"early_stopped", nullptr},
              {"training_time_minutes", nullptr},
              {"best_epoch", nullptr},
              {"final_learning_rate", figure("learning_rate")}}},
            {"validation_metrics", {{"val_loss", figure("val_loss")}, {"val_accuracy", figure("val_accuracy")}}},
            {"test_metrics",
             {{"test_loss", figure("test_loss")},
              {"test_accuracy", figure("test_accuracy")},
              {"precision", figure("precision")},
              {"recall", figure("recall")},
              {"f1_score", figure("f1_score")},
              {"classes", nullptr},
              {"confusion_matrix", nullptr},
              {"per_class", nullptr}}},
            {"baselines",
             {{"class_prior", nullptr},
              {"most_frequent_class", nullptr},
              {"majority", nullptr},
              {"persistence", nullptr},
              {"persistence_rows", nullptr},
              {"random_walk", nullptr}}},
            {"confidence", nullptr},
            {"calibration", nullptr},
            {"per_symbol", nullptr},
            {"feature_importance", nullptr},
            {"history", std::move(history)},
            {"resource_usage",
             {{"gpu_used", nullptr},
              {"gpu_name", nullptr},
              {"gpu_utilization_percent", nullptr},
              {"peak_memory_mb", nullptr},
              {"training_mode", "host"}}},
            {"artifacts",
             {{"model_path", nullptr},
              {"analytics_dir", nullptr},
              {"checkpoints", array()},
              {"feature_importance", nullptr},
              {"per_symbol_metrics", nullptr}}},
            {"session_info",
             {{"strategy_name", context.strategy.name},
              {"symbols", array(context.symbols.begin(), context.symbols.end())},
              {"timeframes", names_of(context)},
              {"start_date", nullptr},
              {"end_date", nullptr},
              {"test_from", nullptr},
              {"data_summary", nullptr}}},
            {"model_info",
             {{"model_size_bytes", nullptr},
              {"parameters_count", nullptr},
              {"trainable_parameters", nullptr},
              {"architecture", nullptr}}}};
}

}  // namespace ktrdr
