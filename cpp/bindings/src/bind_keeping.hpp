#pragma once

#include <pybind11/pybind11.h>

#include <memory>

#include <ktrdr/data/data_manager.hpp>

namespace ktrdr::bindings {

using DataManagerClass = pybind11::class_<DataManager, std::shared_ptr<DataManager>>;

/// What keeps stored bars whole: changes and undo, forgetting, a look for damage, compacting.
void bind_keeping(DataManagerClass& manager);

}  // namespace ktrdr::bindings
