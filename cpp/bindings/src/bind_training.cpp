// Room training: a manager and its trainings, and the slot that a trainer is put into once it is loaded.

#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <ktrdr/runtime/open_training_manager.hpp>
#include <ktrdr/runtime/runtime.hpp>
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
                                               std::map<std::string, std::string> env) {
    const GilReleased released;
    Runtime* const runtime = unwrap(Runtime::instance());
    TrainingManagerOptions options;
    options.models_dir = std::move(models_dir);
    options.host_service = {use_training_host_service, std::move(training_url), std::nullopt};
    return unwrap(open_training_manager(runtime->training_services(), runtime->host_service_means(), options, data,
                                        Env(std::move(env))));
}

void set_strategy(TrainingRequest& request, const py::handle& value) {
    request.strategy = from_python(value.cast<py::dict>()).as_object();
}

void bind_request(py::module_& module) {
    RequestClass<TrainingRequest>(module, "TrainingRequest", "What a training shall learn, and from what.")
        .field("strategy", &set_strategy)
        .field<&TrainingRequest::strategy_path>("strategy_path")
        .field<&TrainingRequest::symbols>("symbols")
        .field<&TrainingRequest::timeframes>("timeframes")
        .field<&TrainingRequest::start_date>("start_date")
        .field<&TrainingRequest::end_date>("end_date")
        .field<&TrainingRequest::validation_split>("validation_split")
        .field<&TrainingRequest::random_walk_baseline>("random_walk_baseline")
        .field<&TrainingRequest::permutation_importance>("permutation_importance")
        .field<&TrainingRequest::operation_id>("operation_id")
        .field<&TrainingRequest::parent_id>("parent_id")
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

}  // namespace

void bind_training(py::module_& module) {
    bind_request(module);
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
             py::arg("training_url"), py::arg("env"))
        .def_property_readonly("service_names", &service_names<TrainingManager>)
        .def_property_readonly("service", &service_calls<TrainingManager>)
        .def("has_checkpoint", &TrainingManager::has_checkpoint, py::arg("operation_id"), py::call_guard<GilReleased>(),
             "Whether a training has left something to go on from.")
        .def("remove_checkpoint", &TrainingManager::remove_checkpoint, py::arg("operation_id"),
             py::call_guard<GilReleased>(), "Remove what a training has left to go on from.")
        .def("close", &TrainingManager::close, py::call_guard<GilReleased>())
        .def("train", &train, py::arg("request"), py::arg("slot"), py::arg("token"), py::call_guard<GilReleased>());
    py::class_<TrainingProgressRenderer, ProgressRenderer, std::shared_ptr<TrainingProgressRenderer>>(
        module, "TrainingProgressRenderer", "Says what a training does.")
        .def(py::init<>());
}

}  // namespace ktrdr::bindings
