#pragma once

#include <string>
#include <tuple>

namespace ktrdr::bindings {

/// A manager's service name, default host URL and environment prefix, for the Python base class.
template <class Manager>
std::tuple<std::string, std::string, std::string> service_names(const Manager& manager) {
    return {manager.service_name(), manager.default_host_url(), manager.env_var_prefix()};
}

}  // namespace ktrdr::bindings
