// Room training: a manager and its trainings, and the slot that a trainer is put into once it is loaded.

#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <ktrdr/orchestrator/service_route.hpp>
#include <ktrdr/prediction/model_evaluation.hpp>
#include <ktrdr/prediction/predictor.hpp>
#include <ktrdr/progress/tree.hpp>
#include <ktrdr/runtime/open_training_manager.hpp>
#include <ktrdr/runtime/runtime.hpp>
#include <ktrdr/training/judgement.hpp>
#include <ktrdr/training/trainer.hpp>
#include <ktrdr/training/training_progress.hpp>

#include "bind.hpp"
#include "convert.hpp"
#include "gil.hpp"
#include "handle.hpp"
#include "managers.hpp"
#include "request.hpp"

namespace ktrdr::bindings {
namespace {

std::shared_ptr<TrainingManager> make_training(const std::shared_ptr<DataManager>& data,
                                               std::filesystem::path models_dir,
                                               std::optional<bool> use_training_host_service,
                                               std::optional<std::string> training_url,
                                               std::map<std::string, std::string> env,
                                               std::optional<std::int64_t> sessions,
                                               std::optional<std::int64_t> memory_limit) {
    const GilReleased released;
    Runtime* const runtime = unwrap(Runtime::instance());
    TrainingManagerOptions options;
    options.models_dir = std::move(models_dir);
    options.host_service = {use_training_host_service, std::move(training_url), std::nullopt};
    options.limits = {sessions, memory_limit};
    return unwrap(open_training_manager(runtime->training_services(), runtime->host_service_means(), options, data,
                                        Env(std::move(env))));
}

void set_strategy(TrainingRequest& request, const py::handle& value) {
    request.strategy = from_python(value.cast<py::dict>()).as_object();
}

template <class Request>
void set_what_to_show(Request& request, const py::handle& value) {
    request.series.what_to_show = value.cast<std::optional<std::string>>();
}

template <class Request>
void set_session(Request& request, const py::handle& value) {
    request.series.session = value.cast<std::optional<std::string>>();
}

void bind_request(py::module_& module) {
    RequestClass<TrainingRequest>(module, "TrainingRequest", "What a training shall learn, and from what.")
        .field("strategy", &set_strategy)
        .field<&TrainingRequest::strategy_path>("strategy_path")
        .field<&TrainingRequest::symbols>("symbols")
        .field<&TrainingRequest::timeframes>("timeframes")
        .field<&TrainingRequest::start_date>("start_date")
        .field<&TrainingRequest::end_date>("end_date")
        .field<&TrainingRequest::test_from>("test_from")
        .field("what_to_show", &set_what_to_show<TrainingRequest>)
        .field("session", &set_session<TrainingRequest>)
        .field<&TrainingRequest::validation_split>("validation_split")
        .field<&TrainingRequest::random_walk_baseline>("random_walk_baseline")
        .field<&TrainingRequest::permutation_importance>("permutation_importance")
        .field<&TrainingRequest::operation_id>("operation_id")
        .field<&TrainingRequest::parent_id>("parent_id")
        .field<&TrainingRequest::priority>("priority")
        .field<&TrainingRequest::resume>("resume")
        .field<&TrainingRequest::resume_from>("resume_from")
        .field<&TrainingRequest::save_checkpoint>("save_checkpoint")
        .field<&TrainingRequest::checkpoint_epochs>("checkpoint_epochs")
        .field<&TrainingRequest::checkpoint_seconds>("checkpoint_seconds")
        .done();
}

Handle train(TrainingManager& self, const TrainingRequest& request, std::shared_ptr<TrainerSlot> slot,
             const std::optional<CancellationToken>& token) {
    Handle handle(unwrap(self.train(request, std::move(slot), token.value_or(CancellationToken{}))));
    unwrap(Runtime::instance())->wake_tender();
    return handle;
}

/// On the thread that calls; the operation is the caller's.
boost::json::object evaluate(const std::shared_ptr<BarProvider>& bars, const EvaluationRequest& request,
                             const Handle& operation) {
    const auto tell = [&](std::size_t symbol, std::size_t stage) {
        const auto step = static_cast<std::int64_t>(symbol * preparation_stages.size() + stage + 1);
        operation->progress().set_detail(std::string(preparation_stages[stage]));
        operation->progress().outer().store({step, 0, 0, 0});
    };
    operation->progress().enter(ProgressRange{});
    return unwrap(evaluate_model(request, *bars, operation->token(), tell));
}

using QueueRow = std::tuple<std::string, std::int64_t, std::size_t, std::uint64_t, std::string>;

std::vector<QueueRow> queue_of(const TrainingManager& self) {
    const GilReleased released;
    std::vector<QueueRow> rows;
    for (QueuePlace& place : self.queue()) {
        rows.emplace_back(std::move(place.operation_id), place.priority, place.place, place.memory_bytes,
                          std::move(place.reason));
    }
    return rows;
}

py::dict pooled(const py::list& windows) {
    const boost::json::value told = from_python(windows);
    auto judged = [&] {
        const GilReleased released;
        return pooled_judgement(told.as_array());
    }();
    return to_python(unwrap(std::move(judged)));
}

std::pair<std::size_t, std::uint64_t> limits_of(const TrainingManager& self) {
    const QueueLimits limits = self.limits();
    return {limits.sessions, limits.memory_bytes};
}

SeriesWords words_of(std::optional<std::string> what_to_show, std::optional<std::string> session) {
    SeriesWords words;
    words.what_to_show = std::move(what_to_show);
    words.session = std::move(session);
    return words;
}

/// Of a stored series, where the basis of its prices breaks among bars that a model looks at.
std::vector<std::string> break_warnings_of(const DataManager& data, const std::string& symbol,
                                           const std::string& timeframe, std::optional<std::string> what_to_show,
                                           std::optional<std::string> session, std::int64_t first, std::int64_t last) {
    const GilReleased released;
    const SeriesRequest asked{symbol, timeframe, words_of(std::move(what_to_show), std::move(session))};
    const Timeframe length = unwrap(Timeframe::parse(timeframe));
    std::vector<BarBreak> inside;
    for (const BasisBreak& one : unwrap(data.breaks(asked))) {
        const std::int64_t at = one.at.time_since_epoch().count();
        // What begins with the first bar parts it from none that is here.
        if (first < at && at <= last) {
            inside.push_back({symbol, length, one.at, one.ratio});
        }
    }
    return break_warnings(inside, what_follows_a_break);
}

/// Rows that live on while it does.
class KeptRows final {
public:
    explicit KeptRows(const TrainingManager& manager) : rows_(manager.keep_last_rows()) {}
    void release() { rows_.reset(); }

private:
    std::shared_ptr<void> rows_;
};

}  // namespace

void bind_training(py::module_& module) {
    bind_request(module);
    RequestClass<EvaluationRequest>(module, "EvaluationRequest", "Which model is judged, and on what.")
        .field<&EvaluationRequest::model>("model")
        .field<&EvaluationRequest::symbols>("symbols")
        .field<&EvaluationRequest::start_date>("start_date")
        .field<&EvaluationRequest::end_date>("end_date")
        .field("what_to_show", &set_what_to_show<EvaluationRequest>)
        .field("session", &set_session<EvaluationRequest>)
        .done();
    py::class_<Trainer, std::shared_ptr<Trainer>>(module, "Trainer", "Trains one model; made by `_torch`.");
    py::class_<TrainerSlot, std::shared_ptr<TrainerSlot>>(module, "TrainerSlot",
                                                          "Where a training waits for its trainer to be loaded.")
        .def(py::init<>())
        .def("fulfil", &TrainerSlot::fulfil, py::arg("trainer"))
        .def(
            "fail",
            [](TrainerSlot& self, std::string message) { self.fail({Errc::not_available, std::move(message), {}}); },
            py::arg("message"));
    py::class_<TrainingManager, std::shared_ptr<TrainingManager>>(module, "TrainingManager",
                                                                  "The native side of the training manager.")
        .def(py::init(&make_training), py::arg("data"), py::arg("models_dir"), py::arg("use_training_host_service"),
             py::arg("training_url"), py::arg("env"), py::arg("sessions"), py::arg("memory_limit"))
        .def_static(
            "is_on_host",
            [](std::map<std::string, std::string> env) {
                const ServiceNames names = TrainingManager::host_service().names;
                return unwrap(resolve_route(names, Env(std::move(env)), std::nullopt, std::nullopt)).use_host_service;
            },
            py::arg("env"), "Whether the environment has a host service train.")
        .def_property_readonly("service_names", &service_names<TrainingManager>)
        .def_property_readonly("service", &service_calls<TrainingManager>)
        .def("has_checkpoint", &TrainingManager::has_checkpoint, py::arg("operation_id"), py::call_guard<GilReleased>(),
             "Whether a training has left something to go on from.")
        .def("remove_checkpoint", &TrainingManager::remove_checkpoint, py::arg("operation_id"),
             py::call_guard<GilReleased>(), "Remove what a training has left to go on from.")
        .def(
            "evaluate",
            [](const TrainingManager& self, const EvaluationRequest& request, const Handle& operation) {
                boost::json::object judged;
                {
                    const GilReleased released;
                    judged = evaluate(self.bars(), request, operation);
                }
                return to_python(judged);
            },
            py::arg("request"), py::arg("operation"), "Judge a saved model on stored bars, on this thread.")
        .def("queue", &queue_of,
             "Operation id, priority, place, bytes of memory and why it waits, of those that run (place 0) or wait.")
        .def("limits", &limits_of, py::call_guard<GilReleased>(), "Trainings at once, and bytes (0: no limit).")
        .def("close", &TrainingManager::close, py::call_guard<GilReleased>())
        .def("train", &train, py::arg("request"), py::arg("slot"), py::arg("token"), py::call_guard<GilReleased>());
    module.def("pooled_judgement", &pooled, py::arg("windows"),
               "Judge the tests of several windows of time as one; each has test, and random_walk or None.");
    module.def("break_warnings", &break_warnings_of, py::arg("data"), py::arg("symbol"), py::arg("timeframe"),
               py::arg("what_to_show"), py::arg("session"), py::arg("first"), py::arg("last"),
               "What a person should know of the basis of a stored series, between two bars (ns since 1970).");
    module.def(
        "check_series_words",
        [](std::optional<std::string> what_to_show, std::optional<std::string> session) {
            unwrap(check_words(words_of(std::move(what_to_show), std::move(session))));
        },
        py::arg("what_to_show"), py::arg("session"), "Refuse words that name no series of any symbol.");
    py::class_<KeptRows>(module, "KeptRows", "Keeps the rows that a manager's trainings shared last.")
        .def(py::init<const TrainingManager&>(), py::arg("training"), py::call_guard<GilReleased>())
        .def("release", &KeptRows::release, py::call_guard<GilReleased>());
    py::class_<TrainingProgressRenderer, ProgressRenderer, std::shared_ptr<TrainingProgressRenderer>>(
        module, "TrainingProgressRenderer", "Says what a training does.")
        .def(py::init<>());
}

}  // namespace ktrdr::bindings
