#pragma once

#include <string>

#include <ktrdr/base/export.hpp>
#include <ktrdr/progress/state.hpp>

namespace ktrdr {

/// Turns a state into words: pure functions, so that each domain says its own sentence about the same numbers.
///
/// Thread safety: const members may be called from any thread.
class KTRDR_EXPORT ProgressRenderer {
public:
    virtual ~ProgressRenderer() = default;
    /// The sentence a person reads, for example `Loading AAPL 1h data (backfill mode) [3/5]`. `state.message` holds
    /// what the worker itself said of its step, or nothing.
    [[nodiscard]] virtual std::string render_message(const ProgressState& state) const = 0;
    /// A new state with context fields derived from its numbers; the default changes nothing.
    [[nodiscard]] virtual ProgressState enhance_state(ProgressState state) const { return state; }
};

/// What the worker said, else the step's name, and its units: `Checking files [3/5]`.
class KTRDR_EXPORT DefaultProgressRenderer final : public ProgressRenderer {
public:
    [[nodiscard]] std::string render_message(const ProgressState& state) const override;
};

}  // namespace ktrdr
