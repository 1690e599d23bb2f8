// Room orchestrator: how a service is routed and work is tried again.

#include <fmt/format.h>
#include <pybind11/stl.h>

#include <ktrdr/orchestrator/retry.hpp>
#include <ktrdr/orchestrator/service_route.hpp>

#include "bind.hpp"
#include "convert.hpp"

namespace ktrdr::bindings {
namespace {

std::pair<bool, std::string> route(std::string service, std::string default_url, std::string prefix,
                                   std::optional<bool> use, const std::optional<std::string>& url,
                                   std::map<std::string, std::string> env) {
    auto resolved = unwrap(
        resolve_route({std::move(service), std::move(default_url), std::move(prefix)}, Env(std::move(env)), use, url));
    return {resolved.use_host_service, std::move(resolved.url)};
}

/// Durations have no word for what is no number, and none of ours is negative: what was given is told here.
void check_delays(double base_delay, double max_delay) {
    if (!(base_delay > 0)) {
        throw ErrorException(fail(Errc::invalid_argument,
                                  fmt::format("base_delay must be above 0 seconds, not {}", base_delay),
                                  {{"argument", "base_delay"}}));
    }
    if (!(max_delay >= base_delay)) {
        throw ErrorException(
            fail(Errc::invalid_argument,
                 fmt::format("max_delay must be at least base_delay, {} seconds, not {}", base_delay, max_delay),
                 {{"argument", "max_delay"}}));
    }
}

RetryOptions options(int max_attempts, double base_delay, double max_delay, double multiplier, double jitter) {
    check_delays(base_delay, max_delay);
    RetryOptions made{max_attempts, duration_of(base_delay), duration_of(max_delay), multiplier, jitter};
    unwrap(check(made));
    return made;
}

double delay(const RetryOptions& self, int failed_attempts, double random) {
    return std::chrono::duration<double>(retry_delay(self, failed_attempts, random)).count();
}

bool retryable(const std::string& code) {
    const auto known = errc_from(code);
    return known && is_retryable(*known);
}

}  // namespace

void bind_orchestrator(py::module_& module) {
    module.def("resolve_route", &route, py::arg("service"), py::arg("default_host_url"), py::arg("env_var_prefix"),
               py::arg("use_host_service"), py::arg("host_service_url"), py::arg("env"),
               "Whether the host service is used, and its URL.");
    py::class_<RetryOptions>(module, "RetryOptions", "How often and how patiently work is tried again.")
        .def(py::init(&options), py::arg("max_attempts"), py::arg("base_delay"), py::arg("max_delay"),
             py::arg("multiplier"), py::arg("jitter"))
        .def_readonly("max_attempts", &RetryOptions::max_attempts)
        .def("delay", &delay, py::arg("failed_attempts"), py::arg("random"), "Seconds to wait after so many tries.");
    module.def("is_retryable", &retryable, py::arg("code"), "Whether an error of this code may pass.");
}

}  // namespace ktrdr::bindings
