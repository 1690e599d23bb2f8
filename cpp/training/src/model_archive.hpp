#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <ktrdr/base/result.hpp>
#include <ktrdr/models/model_directory.hpp>

namespace ktrdr {

/// A model as a host hands it over.
struct ModelArchive {
    ModelContent content{};
    /// Files of it that we do not know; they were not read.
    std::vector<std::string> unknown{};
};

/// Read the tar of a model's folder, whoever made it: names are compared and never used as paths, only plain files
/// count, and the files themselves must be what their names say.
///
/// Errors: `protocol` naming what is wrong.
[[nodiscard]] Result<ModelArchive> read_model_archive(std::string_view tar);

}  // namespace ktrdr
