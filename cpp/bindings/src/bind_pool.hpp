#pragma once

#include <pybind11/pybind11.h>

#include <ktrdr/http/client.hpp>

namespace ktrdr::bindings {

[[nodiscard]] pybind11::dict pool_dict(const PoolStats& stats);

}  // namespace ktrdr::bindings
