#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/training/trainer.hpp>

namespace ktrdr {

/// Where a training waits for its trainer: loading LibTorch takes a while and is done elsewhere. The first `fulfil` or
/// `fail` counts.
///
/// Thread safety: every member from any thread.
class KTRDR_EXPORT TrainerSlot final {
public:
    void fulfil(std::shared_ptr<Trainer> trainer);
    void fail(Error error);
    /// Block until it is filled. Cancellation: seen within 20 ms.
    [[nodiscard]] Result<std::shared_ptr<Trainer>> wait(const CancellationToken& token);

private:
    void fill(Result<std::shared_ptr<Trainer>> outcome);

    std::mutex mutex_;
    std::condition_variable filled_;
    std::optional<Result<std::shared_ptr<Trainer>>> outcome_{};
};

}  // namespace ktrdr
