#pragma once

#include <boost/json/object.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/models/named_tensor.hpp>

namespace ktrdr {

/// What a model's folder says of the model.
struct ModelFiles {
    std::filesystem::path path{};
    boost::json::object config{};
    boost::json::object metrics{};
    boost::json::object features{};
    boost::json::object metadata{};
};

/// The four JSON files of a model's folder.
///
/// Errors: `not_found` where there is no such folder; `invalid_argument` naming the file that is missing, no plain
/// file, too large or no JSON object; `storage_schema` for a layout that a newer version wrote.
[[nodiscard]] KTRDR_EXPORT Result<ModelFiles> read_model_files(const std::filesystem::path& folder);

/// The weights of a model's folder. Errors: `invalid_argument` naming the file and what is wrong with it.
[[nodiscard]] KTRDR_EXPORT Result<std::vector<NamedTensor>> read_model_weights(const std::filesystem::path& folder);

/// The models' folders below `models_dir`, by strategy, name and version; a folder that is none is left out, and what
/// cannot be read too.
[[nodiscard]] KTRDR_EXPORT std::vector<std::filesystem::path> list_model_folders(
    const std::filesystem::path& models_dir);

}  // namespace ktrdr
