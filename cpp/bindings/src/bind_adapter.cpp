#include <fmt/format.h>

#include <ktrdr/runtime/service_calls.hpp>

#include "bind.hpp"
#include "bind_pool.hpp"
#include "convert.hpp"

namespace ktrdr::bindings {
namespace {

std::shared_ptr<ServiceCalls> make_calls(const std::string& service_name, const std::string& base_url,
                                         std::size_t pool_size) {
    HostServiceConfig config;
    config.client.base_url = base_url;
    config.client.pool.max_connections = pool_size;
    Runtime* const runtime = unwrap(Runtime::instance());
    return unwrap(ServiceCalls::create(*runtime, service_name,
                                       fmt::format("is {} running at that address?", service_name), std::move(config)));
}

}  // namespace

py::dict pool_dict(const PoolStats& stats) {
    py::dict dict;
    dict["open"] = stats.open;
    dict["idle"] = stats.idle;
    dict["active"] = stats.active;
    dict["connecting"] = stats.connecting;
    dict["waiting"] = stats.waiting;
    dict["dials_failed"] = stats.dials_failed;
    dict["connections_created"] = stats.connections_created;
    dict["requests"] = stats.requests;
    return dict;
}

void bind_adapter(py::module_& module) {
    py::class_<ServiceCalls, std::shared_ptr<ServiceCalls>>(module, "ServiceCalls", "JSON calls to one host service.")
        .def(py::init(&make_calls), py::arg("service_name"), py::arg("base_url"), py::arg("pool_size"))
        .def("get", &ServiceCalls::get, py::arg("endpoint"), py::arg("mailbox"), py::arg("key"))
        .def(
            "post",
            [](ServiceCalls& self, std::string endpoint, const py::object& data, std::shared_ptr<Mailbox> mailbox,
               std::uint64_t key) {
                return self.post(std::move(endpoint), from_python(data), std::move(mailbox), key);
            },
            py::arg("endpoint"), py::arg("data"), py::arg("mailbox"), py::arg("key"))
        .def("stats", [](const ServiceCalls& self) { return pool_dict(self.stats()); })
        .def("close", &ServiceCalls::close);
}

}  // namespace ktrdr::bindings
