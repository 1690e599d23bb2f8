#pragma once

#include <pybind11/pybind11.h>

#include <memory>

#include <ktrdr/data/data_manager.hpp>

namespace ktrdr::bindings {

using DataManagerClass = pybind11::class_<DataManager, std::shared_ptr<DataManager>>;

/// What a data manager does with bars that are stored: read, export, resample, delete, load many, import a folder.
void bind_data_face(pybind11::module_& module, DataManagerClass& manager);

/// Symbol, timeframe, id of the load, bars or None, and code, message and context of an error or None, of each.
[[nodiscard]] pybind11::list to_python(const LoadedMany& loaded);

}  // namespace ktrdr::bindings
