#pragma once

#include <pybind11/pybind11.h>

namespace ktrdr::bindings {

/// Of the room features, beside what strategies may say: labels of bars and splits in time.
void bind_splits(pybind11::module_& module);

}  // namespace ktrdr::bindings
