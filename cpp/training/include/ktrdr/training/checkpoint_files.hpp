#pragma once

#include <filesystem>
#include <string>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/files.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/training/trainer.hpp>

namespace ktrdr {

struct TrainingData;
struct TrainingOperationContext;

/// What a training is of. One may go on only from a checkpoint that is of the same.
struct TrainingIdentity {
    std::string strategy_name{};
    /// Checksums of all that the strategy says, and of every row it is trained, validated and tested on.
    std::string strategy{};
    std::string data{};

    friend bool operator==(const TrainingIdentity&, const TrainingIdentity&) = default;
};

/// Cost: a pass over the rows, some 10 ms for 500,000 rows of 24 features.
[[nodiscard]] KTRDR_EXPORT TrainingIdentity identity_of(const TrainingOperationContext& context,
                                                        const TrainingData& data);

/// `{models_dir}/.checkpoints/{operation id}.safetensors`: the newest checkpoint of each training that has not
/// completed, as a safetensors file with the weights under the names that `nn.Sequential` gives them.
///
/// A file is written under a hidden name, locked meanwhile, synced and renamed: it is there whole or not at all.
/// Thread safety: every member from any thread; one operation writes from one thread.
class KTRDR_EXPORT CheckpointFiles final {
public:
    CheckpointFiles(const std::filesystem::path& models_dir, const Clock& clock,
                    FileAccess access = FileAccess::owner_only)
        : folder_(models_dir / ".checkpoints"), clock_(clock), access_(access) {}

    [[nodiscard]] std::filesystem::path path(const std::string& operation_id) const;
    [[nodiscard]] bool contains(const std::string& operation_id) const;
    /// In place of an older one. Errors: `storage`, `storage_full`.
    [[nodiscard]] Result<void> save(const std::string& operation_id, const TrainingIdentity& of,
                                    const TrainerCheckpoint& checkpoint) const;
    /// Errors: `not_found`; `conflict` for one of another strategy or of other data, saying which; `storage` for a file
    /// that is damaged or cannot be read.
    [[nodiscard]] Result<TrainerCheckpoint> load(const std::string& operation_id, const TrainingIdentity& of) const;
    /// With what a process that died while it wrote has left of it. No error: what stays is found again by name.
    void remove(const std::string& operation_id) const noexcept;
    /// What processes that died while they wrote have left of any; what a living one writes is locked, and stays. No
    /// error: what stays is found the next time.
    void remove_leftovers() const noexcept;

private:
    [[nodiscard]] std::filesystem::path hidden_path(const std::string& operation_id) const;

    std::filesystem::path folder_;
    const Clock& clock_;
    FileAccess access_;
};

}  // namespace ktrdr
