// Room data: a manager and its loads.

#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <ktrdr/data/data_manager.hpp>
#include <ktrdr/data/data_progress_renderer.hpp>
#include <ktrdr/runtime/runtime.hpp>

#include "bind.hpp"
#include "bind_pool.hpp"
#include "convert.hpp"
#include "gil.hpp"
#include "handle.hpp"
#include "request.hpp"
#include "service_names.hpp"

namespace ktrdr::bindings {
namespace {

std::shared_ptr<DataManager> make_data(std::filesystem::path data_dir, std::optional<std::string> ib_url,
                                       std::optional<bool> use_ib_host_service, std::optional<std::size_t> pool_size,
                                       std::map<std::string, std::string> env) {
    const GilReleased released;
    Runtime* const runtime = unwrap(Runtime::instance());
    DataManagerOptions options;
    options.data_dir = std::move(data_dir);
    options.ib_url = std::move(ib_url);
    options.use_ib_host_service = use_ib_host_service;
    options.connection_pool_limit = pool_size;
    return unwrap(DataManager::create(runtime->data_services(), std::move(options), Env(std::move(env))));
}

void bind_request(py::module_& module) {
    RequestClass<LoadRequest>(module, "LoadRequest", "What a load asks for, in the caller's own words.")
        .field<&LoadRequest::symbol>("symbol")
        .field<&LoadRequest::timeframe>("timeframe")
        .field<&LoadRequest::start_date>("start_date")
        .field<&LoadRequest::end_date>("end_date")
        .field<&LoadRequest::mode>("mode")
        .field<&LoadRequest::operation_id>("operation_id")
        .field<&LoadRequest::parent_id>("parent_id")
        .field<&LoadRequest::resume>("resume")
        .done();
}

Handle load_data(DataManager& self, const LoadRequest& request, const std::optional<CancellationToken>& token) {
    Handle handle(unwrap(self.load_data(request, token.value_or(CancellationToken{}))));
    unwrap(Runtime::instance())->wake_tender();
    return handle;
}

}  // namespace

void bind_data(py::module_& module) {
    bind_request(module);
    py::class_<DataManager, std::shared_ptr<DataManager>>(module, "DataManager", "The native side of the data manager.")
        .def(py::init(&make_data), py::arg("data_dir"), py::arg("ib_url"), py::arg("use_ib_host_service"),
             py::arg("pool_size"), py::arg("env"))
        .def("load_data", &load_data, py::arg("request"), py::arg("token"), py::call_guard<GilReleased>())
        .def_property_readonly("service_names", &service_names<DataManager>)
        .def_property_readonly("database_path", &DataManager::database_path)
        .def("pool_stats", [](const DataManager& self) { return pool_dict(self.pool_stats()); })
        .def("close", &DataManager::close, py::call_guard<GilReleased>());
    py::class_<DataProgressRenderer, ProgressRenderer, std::shared_ptr<DataProgressRenderer>>(
        module, "DataProgressRenderer", "Says what a load of bars does.")
        .def(py::init<>());
}

}  // namespace ktrdr::bindings
