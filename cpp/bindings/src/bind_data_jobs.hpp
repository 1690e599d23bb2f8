#pragma once

#include "bind_keeping.hpp"

namespace ktrdr::bindings {

/// Loads as jobs: made, started, looked up, cancelled, and taken up again after the end of their process.
void bind_data_jobs(DataManagerClass& manager);

}  // namespace ktrdr::bindings
