#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/files.hpp>
#include <ktrdr/base/result.hpp>

namespace ktrdr {

/// What the files of a model's folder hold, by number: 1 had none; 2 says which history a prediction needs.
inline constexpr std::int64_t model_layout = 2;

/// Whose model it is: with a version these make the folder's name.
struct ModelName {
    std::string strategy{};
    std::vector<std::string> symbols{};
    std::string timeframe{};
};

/// What is written. Version and layout are added to `metadata`.
struct ModelContent {
    std::string safetensors{};
    boost::json::object config{};
    boost::json::object metrics{};
    boost::json::object features{};
    boost::json::object metadata{};
};

struct SavedModel {
    std::filesystem::path path{};
    std::int64_t version{0};
};

/// `{models_dir}/{strategy}/{symbols}_{timeframe}_v{N}/` with model.safetensors, config.json, metrics.json,
/// features.json and metadata.json.
///
/// A model is written under a hidden name beside its place, synced, and renamed: it is there whole or not at all. A
/// number once given is never given again, also after its model was deleted; processes agree on it by a lock on a small
/// file, and `check` is asked while another has it. What others put into the folders is not followed, not overwritten
/// and not counted where it is no version. A save that was killed leaves a hidden folder, which `remove_leftovers`
/// removes: who writes one holds a lock on it.
///
/// Thread safety: every member from any thread, and from several processes.
class KTRDR_EXPORT ModelDirectory final {
public:
    /// Asked between writes (at least every MiB) and last before the rename; an error stops and nothing remains.
    using Check = std::function<Result<void>(std::string_view step)>;

    /// `models_dir` is settled (`settled_path`): from there on no link is followed.
    ModelDirectory(std::filesystem::path models_dir, const Clock& clock, FileAccess access = FileAccess::owner_only)
        : models_dir_(std::move(models_dir)), clock_(clock), access_(access) {}

    /// `storage` when what exists on the way to the strategy's folder is a file, or nothing may be written there.
    /// Creates nothing.
    [[nodiscard]] Result<void> check_place(const std::string& strategy) const;
    /// Remove what saves of processes that were killed left behind; one that lives, here or elsewhere, is left alone.
    void remove_leftovers() const;
    /// Errors: `storage`, `storage_full`, or what `check` says.
    [[nodiscard]] Result<SavedModel> save(const ModelName& name, ModelContent content, const Check& check) const;

private:
    std::filesystem::path models_dir_;
    const Clock& clock_;
    FileAccess access_;
};

/// `AAPL-MSFT_1d`: symbols percent-encoded, a hyphen inside of one too (`BRK%2DB_1d`), so that other symbols give
/// another name; many of them become the first, their number and a checksum.
[[nodiscard]] KTRDR_EXPORT std::string model_stem(const ModelName& name);

}  // namespace ktrdr
