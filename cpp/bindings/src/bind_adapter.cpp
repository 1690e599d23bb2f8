// Room adapter: calls to a host service whose answers come as mail, and its configuration.

#include <fmt/format.h>
#include <pybind11/stl.h>

#include <ktrdr/runtime/service_calls.hpp>

#include "bind.hpp"
#include "bind_pool.hpp"
#include "convert.hpp"
#include "handle.hpp"
#include "options.hpp"

namespace ktrdr::bindings {
namespace {

std::shared_ptr<ServiceCalls> make_calls(std::string name, std::string type, std::string start_hint,
                                         std::string health_endpoint, Headers headers, std::string base_url,
                                         HostServiceConfig config) {
    config.base_url = std::move(base_url);
    return unwrap(ServiceCalls::create(
        *unwrap(Runtime::instance()),
        {std::move(name), std::move(type), std::move(start_hint), std::move(health_endpoint), std::move(headers)},
        config));
}

/// `deadline` is a moment of `time.monotonic()`, which is the core's steady clock.
CallOptions make_options(const std::optional<Handle>& operation, const std::optional<CancellationToken>& token,
                         std::optional<double> timeout, std::optional<double> deadline, bool idempotent,
                         std::string idempotency_key, bool urgent) {
    CallOptions options = operation ? call_options_of(operation->operation()) : CallOptions{};
    if (token) {
        options.cancellation_token = *token;
    }
    if (timeout) {
        options.deadline =
            std::chrono::steady_clock::now() + std::chrono::duration_cast<SteadyTime::duration>(duration_of(*timeout));
    }
    if (deadline) {
        const SteadyTime moment(std::chrono::duration_cast<SteadyTime::duration>(duration_of(*deadline)));
        options.deadline = std::min(moment, options.deadline.value_or(SteadyTime::max()));
    }
    options.idempotent = idempotent;
    options.idempotency_key = std::move(idempotency_key);
    options.urgent = urgent;
    return options;
}

ServiceCall request_of(const py::tuple& row) {
    ServiceCall request;
    request.endpoint = row[0].cast<std::string>();
    if (const py::object data = row[1]; !data.is_none()) {
        request.data = from_python(data);
    }
    request.idempotent = row[2].cast<bool>();
    request.idempotency_key = row[3].cast<std::string>();
    return request;
}

/// Rows `(endpoint, data, idempotent, idempotency_key)`.
std::vector<ServiceCall> requests_of(const py::list& rows) {
    std::vector<ServiceCall> requests;
    requests.reserve(rows.size());
    for (const py::handle row : rows) {
        try {
            requests.push_back(request_of(py::reinterpret_borrow<py::tuple>(row)));
        } catch (const py::cast_error&) {
            throw ErrorException(fail(Errc::invalid_argument,
                                      fmt::format("call {} of the batch: endpoint and idempotency_key must be str, "
                                                  "idempotent bool; nothing was sent",
                                                  requests.size()),
                                      {{"field", "calls"}}));
        }
    }
    return requests;
}

void bind_config(py::module_& module) {
    OptionsClass<HostServiceConfig>(module, "HostServiceConfig", "How a host service is reached. Times in seconds.")
        .text("base_url", &HostServiceConfig::base_url, "``http[s]://host[:port][/prefix]``.")
        .time("timeout", &HostServiceConfig::timeout, "The whole of a call, all attempts together.")
        .number("max_retries", &HostServiceConfig::max_retries, "Attempts after the first.")
        .number("max_connections", &HostServiceConfig::max_connections, "Most connections at once.")
        .time("idle_timeout", &HostServiceConfig::idle_timeout, "How long an idle connection is kept.")
        .alias("connection_pool_limit", "max_connections")
        .alias("keepalive_expiry", "idle_timeout")
        .part("tls", &HostServiceConfig::tls, "TlsOptions", "Whom https:// trusts, and the client's own certificate.")
        .done();
    module.def(
        "read_host_service_config",
        [](const HostServiceConfig& defaults, const std::string& prefix, std::map<std::string, std::string> env) {
            return unwrap(read_host_service_config(defaults, prefix, Env(std::move(env))));
        },
        py::arg("defaults"), py::arg("prefix"), py::arg("env"));
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
    bind_config(module);
    py::class_<CallOptions>(module, "CallOptions", "What a call carries beside its data.")
        .def(py::init(&make_options), py::arg("operation"), py::arg("token"), py::arg("timeout"), py::arg("deadline"),
             py::arg("idempotent"), py::arg("idempotency_key"), py::arg("urgent"));
    py::class_<ServiceCalls, std::shared_ptr<ServiceCalls>>(module, "ServiceCalls", "JSON calls to one host service.")
        .def(py::init(&make_calls), py::arg("name"), py::arg("type"), py::arg("start_hint"), py::arg("health_endpoint"),
             py::arg("headers"), py::arg("base_url"), py::arg("config"))
        .def(
            "call",
            [](ServiceCalls& self, std::string endpoint, const py::object& data, const CallOptions* options,
               std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
                std::optional<boost::json::value> sent;
                if (!data.is_none()) {
                    sent = from_python(data);
                }
                return self.call(std::move(endpoint), std::move(sent), options != nullptr ? *options : CallOptions{},
                                 std::move(mailbox), key);
            },
            py::arg("endpoint"), py::arg("data"), py::arg("options"), py::arg("mailbox"), py::arg("key"))
        .def(
            "batch",
            [](ServiceCalls& self, const py::list& rows, const CallOptions& options, bool stop_at_error,
               std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
                return self.batch(requests_of(rows), options, stop_at_error, std::move(mailbox), key);
            },
            py::arg("rows"), py::arg("options"), py::arg("stop_at_error"), py::arg("mailbox"), py::arg("key"))
        .def(
            "check_health",
            [](ServiceCalls& self, std::string endpoint, double timeout, double cache_ttl, const CallOptions& options,
               std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
                return self.check_health(std::move(endpoint),
                                         std::chrono::ceil<std::chrono::milliseconds>(duration_of(timeout)),
                                         std::chrono::ceil<std::chrono::milliseconds>(duration_of(cache_ttl)), options,
                                         std::move(mailbox), key);
            },
            py::arg("endpoint"), py::arg("timeout"), py::arg("cache_ttl"), py::arg("options"), py::arg("mailbox"),
            py::arg("key"))
        .def(
            "events",
            [](ServiceCalls& self, std::string endpoint, std::string last_event_id, const CallOptions& options,
               std::optional<double> reconnect_for) {
                return self.events(std::move(endpoint), std::move(last_event_id), options,
                                   milliseconds_of(reconnect_for));
            },
            py::arg("endpoint"), py::arg("last_event_id"), py::arg("options"), py::arg("reconnect_for"))
        .def_property_readonly("name", [](const ServiceCalls& self) { return self.adapter().get_service_name(); })
        .def_property_readonly("type", [](const ServiceCalls& self) { return self.adapter().get_service_type(); })
        .def_property_readonly("health_endpoint",
                               [](const ServiceCalls& self) { return self.adapter().get_health_check_endpoint(); })
        .def_property_readonly("url", [](const ServiceCalls& self) { return self.adapter().get_base_url(); })
        .def_property_readonly("config", [](const ServiceCalls& self) { return self.adapter().config(); })
        .def("stats", [](const ServiceCalls& self) { return pool_dict(self.adapter().stats()); })
        .def("metrics",
             [](const ServiceCalls& self) { return to_python(boost::json::value(to_json(self.adapter().metrics()))); })
        .def("close", &ServiceCalls::close);
}

}  // namespace ktrdr::bindings
