// The module `_torch`: the trainer of LibTorch, and a refusal to load beside another release of torch.

#include <pybind11/pybind11.h>

#include <memory>
#include <string>

#include <ktrdr/torch_trainer/local_trainer.hpp>

namespace py = pybind11;

namespace {

/// "2.13.0" of "2.13.0+cpu": the builds of one release are alike on the CPU.
std::string release_of(const std::string& version) {
    return version.substr(0, version.find('+'));
}

void check_release(const std::string& built_for) {
    // The installed package's own record; importing torch would take seconds.
    const py::object version = py::module_::import("importlib.metadata").attr("version")("torch");
    const auto found = version.cast<std::string>();
    if (release_of(found) != built_for) {
        const std::string message = "ktrdr_core._torch was built for torch " + built_for + " and finds torch " + found +
                                    ": install torch==" + built_for + " or build ktrdr-core against torch " + found;
        throw py::import_error(message);
    }
}

}  // namespace

PYBIND11_MODULE(_torch, module) {
    module.doc() = "Local training with LibTorch. Private: use ktrdr_core.TrainingManager.";
    check_release(KTRDR_TORCH_RELEASE);
    // It registers Trainer, the type that make_trainer gives.
    py::module_::import("ktrdr_core._core");
    module.attr("built_for") = KTRDR_TORCH_RELEASE;
    module.def(
        "make_trainer", []() -> std::shared_ptr<ktrdr::Trainer> { return std::make_shared<ktrdr::LocalTrainer>(); },
        "A trainer that works in this process.");
}
