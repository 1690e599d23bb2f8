#pragma once

#include <memory>
#include <string>
#include <tuple>

#include <ktrdr/runtime/service_calls.hpp>

#include "convert.hpp"

namespace ktrdr::bindings {

/// A manager's service name, default host URL and environment prefix, for the Python base class.
template <class Manager>
std::tuple<std::string, std::string, std::string> service_names(const Manager& manager) {
    return {manager.service_name(), manager.default_host_url(), manager.env_var_prefix()};
}

/// Calls over the pool by which the manager itself reaches its host service; null where it reaches none.
template <class Manager>
std::shared_ptr<ServiceCalls> service_calls(const Manager& manager) {
    auto service = manager.service();
    return service ? std::make_shared<ServiceCalls>(*unwrap(Runtime::instance()), std::move(service)) : nullptr;
}

}  // namespace ktrdr::bindings
